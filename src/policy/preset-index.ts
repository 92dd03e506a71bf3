import { PARTITIONS, partitionOf, REGION_SOURCE } from './aws.ts';
import { SUFFIX_VARS } from './host-template.ts';
import type { Preset } from './presets.ts';

/** A preset that has a hostname, and the values of variables under which it does. */
export interface PresetMatch {
  readonly preset: Preset;
  /** The preset's host, as it writes it: `api.ecr.{region}.{dns-suffix}`. */
  readonly template: string;
  /** `region` => `us-east-1`. */
  readonly vars: ReadonlyMap<string, string>;
}

interface Entry {
  readonly preset: Preset;
  readonly template: string;
  readonly source: RegExp;
  /** The variables that the groups of `source` hold. */
  readonly names: readonly string[];
}

/** What values look like. Of other variables: one label or a part of it. */
const VALUE_SOURCES: Readonly<Record<string, string>> = {
  region: REGION_SOURCE,
  account: String.raw`\d{12}`,
  'dns-suffix': oneOf(PARTITIONS.map(partition => partition.dnsSuffix)),
  'dualstack-suffix': oneOf(PARTITIONS.map(partition => partition.dualStackSuffix)),
};

/** Tells which presets a hostname belongs to, whatever the values of the variables. */
export class PresetIndex {
  /** By the last two labels; of hosts that end in a variable or a wildcard, under the empty text. */
  readonly #entries = new Map<string, Entry[]>();

  constructor(presets: Iterable<Preset>) {
    for (const preset of presets) {
      for (const template of preset.hosts) {
        const entry = { preset, template, ...compileTemplate(template) };
        for (const key of endings(template)) {
          const list = this.#entries.get(key);
          if (list === undefined) this.#entries.set(key, [entry]);
          else list.push(entry);
        }
      }
    }
  }

  /** The presets that have the hostname (in lower case), each once. */
  find(hostname: string): PresetMatch[] {
    const found = new Map<string, PresetMatch>();
    for (const key of [ending(hostname), '']) {
      for (const { preset, template, source, names } of this.#entries.get(key) ?? []) {
        const match = found.has(preset.name) ? null : source.exec(hostname);
        if (match === null) continue;
        const vars = new Map(names.map((name, i) => [name, match[i + 1] ?? '']));
        if (!suffixFits(vars)) continue;
        for (const name of SUFFIX_VARS) vars.delete(name);
        found.set(preset.name, { preset, template, vars });
      }
    }
    return [...found.values()];
  }
}

function compileTemplate(template: string): Pick<Entry, 'source' | 'names'> {
  const names: string[] = [];
  const source = template.replace(/\{([^{}]*)\}|^\*\*\.|\*|[^\w-]/g, (token: string, name?: string) => {
    if (token === '**.') return String.raw`(?:[^.]+\.)+`;
    if (token === '*') return '[^.]+';
    if (name === undefined) return `\\${token}`;
    const known = names.indexOf(name);
    if (known >= 0) return `(?:\\${known + 1})`;
    names.push(name);
    return `(${VALUE_SOURCES[name] ?? '[^.]+'})`;
  });
  return { names, source: new RegExp(`^${source}$`, 'i') };
}

/** The endings under which hosts of a template are looked for. */
function endings(template: string): string[] {
  const hosts = PARTITIONS.map(({ dnsSuffix, dualStackSuffix }) =>
    template
      .replace('{dns-suffix}', dnsSuffix)
      .replace('{dualstack-suffix}', dualStackSuffix ?? '{dualstack-suffix}'),
  );
  return [...new Set(hosts.map(ending).map(end => (/[{}*]/.test(end) ? '' : end)))];
}

/** The last two labels. */
function ending(name: string): string {
  const last = name.lastIndexOf('.');
  return name.slice(name.lastIndexOf('.', last - 1) + 1);
}

/** A region goes with the suffix of its partition only. */
function suffixFits(vars: ReadonlyMap<string, string>): boolean {
  const region = vars.get('region');
  if (region === undefined) return true;
  const partition = partitionOf(region);
  const [dns, dualStack] = [vars.get('dns-suffix'), vars.get('dualstack-suffix')];
  return (
    partition !== null &&
    (dns === undefined || dns === partition.dnsSuffix) &&
    (dualStack === undefined || dualStack === partition.dualStackSuffix)
  );
}

function oneOf(suffixes: readonly (string | null)[]): string {
  return [...new Set(suffixes.filter(suffix => suffix !== null))]
    .map(suffix => suffix.replaceAll('.', '\\.'))
    .join('|');
}
