import { SUFFIX_VARS, type VarValues } from './host-template.ts';
import { PresetIndex, type PresetMatch } from './preset-index.ts';
import { expandPreset, type Preset, type PresetCatalogue, presetVars } from './presets.ts';
import { remembered } from './remembered.ts';
import type { Unit } from './suggest-units.ts';

/** A preset that takes the place of the hosts that belong to it. */
export interface FittingPreset {
  readonly preset: Preset;
  readonly units: readonly Unit[];
  /** How many hosts and patterns it opens. */
  readonly opened: number;
  /** Those of them that were not seen. */
  readonly unseen: readonly string[];
}

/**
 * Finds the presets that fit what was seen. A preset opens all of its hosts, so it fits only when
 * - a third of its hosts were seen, half of a preset of up to four; FIPS, dual-stack and plain forms count as one host;
 * - each of its wildcards was seen to be needed;
 * - none of its hosts had something spoken against it, or was seen at a private address that the preset does not allow;
 * - its variables have the one value that most of what was seen has, since a second one would open it there as well.
 * Hosts that were seen on other ports as well do not count.
 */
export class PresetFitter {
  readonly values: VarValues;
  readonly #index: PresetIndex;
  readonly #known = new Map<string, readonly PresetMatch[]>();
  /** Names of presets that are out of the question. */
  readonly #barred = new Set<string>();

  /** `units`: all there are. `deniedHosts`: what no preset may open. */
  constructor(catalogue: PresetCatalogue, units: readonly Unit[], deniedHosts: Iterable<string>) {
    this.#index = new PresetIndex(catalogue.values());
    this.values = commonValues(units.flatMap(({ host }) => this.#index.find(host)));
    for (const host of deniedHosts)
      for (const { preset } of this.#matches(host)) this.#barred.add(preset.name);
    for (const { host, isPrivate } of units) {
      if (!isPrivate) continue;
      for (const { preset } of this.#matches(host)) if (!preset.allowPrivate) this.#barred.add(preset.name);
    }
  }

  /** The presets that fit units of the same sources, and what remains without them. */
  fit(units: readonly Unit[]): {
    readonly presets: readonly FittingPreset[];
    readonly rest: readonly Unit[];
  } {
    let rest = units;
    const presets: FittingPreset[] = [];
    for (const { preset } of this.#candidates(units)) {
      const belonging = rest.filter(unit => this.#belongs(unit, preset));
      const fitting = this.#measure(preset, belonging);
      if (fitting === null) continue;
      presets.push(fitting);
      const taken = new Set(belonging);
      rest = rest.filter(unit => !taken.has(unit));
    }
    return { presets: presets.sort((a, b) => (a.preset.name < b.preset.name ? -1 : 1)), rest };
  }

  /** Those that most units belong to first. */
  #candidates(units: readonly Unit[]): { readonly preset: Preset; readonly count: number }[] {
    const counts = new Map<string, { readonly preset: Preset; count: number }>();
    for (const unit of units) {
      for (const { preset } of this.#matches(unit.host)) {
        const known = counts.get(preset.name);
        if (known === undefined) counts.set(preset.name, { preset, count: 1 });
        else known.count++;
      }
    }
    return [...counts.values()]
      .filter(({ preset }) => !this.#barred.has(preset.name))
      .sort((a, b) => b.count - a.count || (a.preset.name < b.preset.name ? -1 : 1));
  }

  #belongs({ host, ports }: Unit, preset: Preset): boolean {
    if (!ports.every(port => preset.ports.includes(port))) return false;
    return this.#matches(host).some(match => match.preset.name === preset.name);
  }

  #measure(preset: Preset, units: readonly Unit[]): FittingPreset | null {
    const seen = new Set(units.flatMap(({ host }) => this.#templatesOf(host, preset)));
    const seenServices = new Set([...seen].map(serviceOf));
    const services = new Set(preset.hosts.map(serviceOf));
    const needed = Math.ceil(services.size / (services.size <= 4 ? 2 : 3));
    if (seenServices.size < needed) return null;
    if ([...services].some(service => service.includes('*') && !seenServices.has(service))) return null;
    const all = expandPreset(preset, this.values);
    if (!all.ok) return null;
    const hosts = new Set<string>(units.map(({ host }) => host));
    const unused = { ...preset, hosts: preset.hosts.filter(template => !seen.has(template)) };
    const unseen = expandPreset(unused, this.values);
    const opened = all.hosts.length;
    return { preset, units, opened, unseen: unseen.ok ? unseen.hosts.filter(host => !hosts.has(host)) : [] };
  }

  /** The preset's hosts that this one is, as the preset writes them. */
  #templatesOf(host: string, preset: Preset): string[] {
    return this.#matches(host)
      .filter(match => match.preset.name === preset.name)
      .map(({ template }) => template);
  }

  #matches(host: string): readonly PresetMatch[] {
    return remembered(this.#known, host, () =>
      this.#index
        .find(host)
        .filter(({ vars }) => [...vars].every(([name, value]) => this.values.get(name)?.[0] === value)),
    );
  }
}

/** Of each variable the value that most matches have. */
function commonValues(matches: readonly PresetMatch[]): VarValues {
  const counts = new Map<string, Map<string, number>>();
  for (const { vars } of matches) {
    for (const [name, value] of vars) {
      const values = counts.get(name) ?? new Map<string, number>();
      values.set(value, (values.get(value) ?? 0) + 1);
      counts.set(name, values);
    }
  }
  const commonest = (values: ReadonlyMap<string, number>) =>
    [...values].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([value]) => value);
  return new Map([...counts].map(([name, values]) => [name, commonest(values).slice(0, 1)]));
}

/** The same text for a host and its FIPS and dual-stack forms. */
function serviceOf(template: string): string {
  const [dns, dualStack] = SUFFIX_VARS.map(name => `{${name}}`);
  return template
    .replace(/-fips\b/, '')
    .replace('.dualstack.', '.')
    .replace(new RegExp(`\\.(?:api|on)\\.${dualStack}$`), `.${dns}`)
    .replace('.global.api.aws', '.amazonaws.com');
}

/** The variables that some presets need, with their values, by name. */
export function neededVars(presets: readonly Preset[], values: VarValues): [name: string, value: string][] {
  const names = [...new Set(presets.flatMap(presetVars))].sort();
  return names.flatMap(name =>
    (values.get(name) ?? []).slice(0, 1).map((value): [string, string] => [name, value]),
  );
}
