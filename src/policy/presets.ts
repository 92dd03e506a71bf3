import { type Expansion, expandTemplate, templateVars, type VarValues } from './host-template.ts';

/** A named list of hosts that belong together, kept up to date with sallyport or by the operator. */
export interface Preset {
  readonly name: string;
  /** What it is for, in a few words. */
  readonly title: string;
  /** The day on which the list was last held against its sources: `2026-11-21`. */
  readonly checked: string;
  /** Where the list comes from. */
  readonly sources: readonly string[];
  /** What to know before using it; empty for nothing. */
  readonly note: string;
  /** Host patterns in which `{name}` stands for a variable: see `expandTemplate`. */
  readonly hosts: readonly string[];
  /** Sorted, without duplicates, never empty. */
  readonly ports: readonly number[];
  /** Whether its hosts resolve to private addresses where interface endpoints are used. */
  readonly allowPrivate: boolean;
}

/** The presets that rules may name, by name. */
export type PresetCatalogue = ReadonlyMap<string, Preset>;

/** The variables that a preset's hosts need a value for. */
export function presetVars({ hosts }: Preset): string[] {
  return [...new Set(hosts.flatMap(templateVars))];
}

/** The host patterns of a preset under these values, without duplicates. */
export function expandPreset({ hosts }: Preset, values: VarValues): Expansion {
  const expanded = new Set<string>();
  const missing = new Set<string>();
  for (const template of hosts) {
    const expansion = expandTemplate(template, values);
    for (const item of expansion.ok ? expansion.hosts : expansion.missing)
      (expansion.ok ? expanded : missing).add(item);
  }
  return missing.size > 0 ? { ok: false, missing: [...missing] } : { ok: true, hosts: [...expanded] };
}
