import { partitionFor } from './aws.ts';

/** The values of variables. Several values: a host is made for each. */
export type VarValues = ReadonlyMap<string, readonly string[]>;

export type Expansion =
  | { readonly ok: true; readonly hosts: readonly string[] }
  /** Variables without a value, each once. */
  | { readonly ok: false; readonly missing: readonly string[] };

/** Variables that follow from `region`: `amazonaws.com` and, after `api.`, `aws`, or the suffixes of another partition. */
export const SUFFIX_VARS = ['dns-suffix', 'dualstack-suffix'] as const;

const VARIABLE = /\{([^{}]*)\}/g;

/** The variables that a template needs a value for, each once, in the order of their use. */
export function templateVars(template: string): string[] {
  const names = [...template.matchAll(VARIABLE)].map(([, name = '']) => (isSuffix(name) ? 'region' : name));
  return [...new Set(names)];
}

/**
 * Puts values into a template. A variable that stands in it twice has the same value in both places; each combination
 * of values makes a host. `{dns-suffix}` and `{dualstack-suffix}` follow from the region (and from `partition`, for a
 * region of no known partition); a partition without dual-stack hosts makes none.
 */
export function expandTemplate(template: string, values: VarValues): Expansion {
  const missing: string[] = [];
  let bindings: ReadonlyMap<string, string>[] = [new Map()];
  for (const name of templateVars(template)) {
    const known = values.get(name) ?? [];
    if (known.length === 0) missing.push(name);
    bindings = bindings.flatMap(binding => known.map(value => new Map(binding).set(name, value)));
  }
  if (missing.length > 0) return { ok: false, missing };
  const partition = values.get('partition')?.[0];
  const hosts = bindings.map(binding => fill(template, binding, partition));
  return { ok: true, hosts: [...new Set(hosts.filter(host => host !== null))] };
}

function fill(
  template: string,
  binding: ReadonlyMap<string, string>,
  partition: string | undefined,
): string | null {
  const { dnsSuffix, dualStackSuffix } = partitionFor(binding.get('region') ?? '', partition);
  if (dualStackSuffix === null && template.includes('{dualstack-suffix}')) return null;
  return template.replace(VARIABLE, (_, name: string) => {
    if (name === 'dns-suffix') return dnsSuffix;
    if (name === 'dualstack-suffix') return dualStackSuffix ?? '';
    return binding.get(name) ?? '';
  });
}

function isSuffix(name: string): boolean {
  return SUFFIX_VARS.some(known => known === name);
}
