import { PARTITIONS, partitionOf } from '../policy/aws.ts';
import { expandTemplate, templateVars, type VarValues } from '../policy/host-template.ts';
import type { Findings } from './findings.ts';
import type { PolicyDefaults } from './policy-defaults.ts';
import type { PolicyFile } from './policy-file.ts';
import { didYouMean } from './suggest.ts';

export type TextExpansion =
  | { readonly ok: true; readonly texts: readonly string[] }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** The variables of a policy: what its files say, and under that what the surroundings do. */
export class PolicyVars {
  readonly #findings: Findings;
  readonly #values = new Map<string, readonly string[]>();
  /** The files that say them. */
  readonly #files = new Map<string, PolicyFile>();
  readonly #used = new Set<string>();

  constructor(findings: Findings, defaults: PolicyDefaults) {
    this.#findings = findings;
    for (const [name, value] of Object.entries(defaults)) this.#values.set(name, [value]);
  }

  get values(): VarValues {
    return this.#values;
  }

  /** Adds what one file says. */
  add(file: PolicyFile, name: string, said: string | readonly string[]): void {
    const path = ['vars', name];
    const earlier = this.#files.get(name);
    if (earlier !== undefined)
      this.#findings.error(file, path, `${earlier.file} has this variable too`, 'say it in one file');
    if (!/^[A-Za-z][\w-]*$/.test(name)) {
      const message = 'a variable is named by letters, digits, underscores and hyphens';
      this.#findings.error(file, path, message, 'rename it');
    }
    const values = typeof said === 'string' ? [said] : said;
    // No wildcard comes in by a variable: the pattern must show what it opens.
    if (!values.every(value => /^[A-Za-z0-9._-]+$/.test(value))) {
      const message = 'a variable holds letters, digits, dots, underscores and hyphens';
      this.#findings.error(file, path, message, 'write a wildcard in hosts instead');
    }
    this.#values.set(name, [...new Set(values)]);
    this.#files.set(name, file);
  }

  /** Says what no single variable shows: a partition that is not the regions'. */
  checkPartition(): void {
    const file = this.#files.get('partition');
    if (file === undefined) return;
    this.#used.add('partition');
    const [partition = '', ...more] = this.#values.get('partition') ?? [];
    const path = ['vars', 'partition'];
    if (more.length > 0 || !PARTITIONS.some(({ name }) => name === partition)) {
      const known = PARTITIONS.map(({ name }) => name);
      this.#findings.error(
        file,
        path,
        `${JSON.stringify(partition)} is no partition`,
        didYouMean(partition, known),
      );
      return;
    }
    for (const region of this.#values.get('region') ?? []) {
      const actual = partitionOf(region)?.name ?? partition;
      if (actual === partition) continue;
      const message = `region ${region} lies in partition ${actual}, not ${partition}`;
      this.#findings.error(file, path, message, 'remove it: the region says it');
    }
  }

  /** The texts that a text with `{name}` in it stands for. */
  expand(text: string): TextExpansion {
    if (!text.includes('{') && !text.includes('}')) return { ok: true, texts: [text] };
    for (const name of templateVars(text)) this.#used.add(name);
    const expansion = expandTemplate(text, this.#values);
    if (!expansion.ok) {
      const [name = ''] = expansion.missing;
      const known = [...this.#values.keys()];
      const isUnlikely = known.length === 0 || WELL_KNOWN.has(name);
      const fix = isUnlikely ? fixMissing(expansion.missing) : didYouMean(name, known);
      return { ok: false, message: `unknown variable ${JSON.stringify(name)}`, fix };
    }
    if (expansion.hosts.some(host => /[{}]/.test(host)))
      return { ok: false, message: 'a brace without its partner', fix: 'write a variable as {name}' };
    return { ok: true, texts: expansion.hosts };
  }

  /** Takes note that something needs these. */
  use(names: readonly string[]): void {
    for (const name of names) this.#used.add(name);
  }

  warnUnused(): void {
    for (const [name, file] of this.#files) {
      if (this.#used.has(name)) continue;
      this.#findings.warn(
        file,
        ['vars', name],
        'nothing uses this variable',
        `write {${name}} in hosts, or remove it`,
      );
    }
  }
}

/** Examples of the variables that presets use. */
const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ['region', 'us-east-1'],
  ['account', '"123456789012"'],
]);

/** How to say the variables that have no value. */
export function fixMissing(missing: readonly string[]): string {
  const vars = missing.map(name => `${name}: ${WELL_KNOWN.get(name) ?? '…'}`).join(', ');
  const orEnvironment = missing.includes('region') ? ', or set AWS_REGION' : '';
  return `say vars: { ${vars} }${missing.length === 1 ? orEnvironment : ''}`;
}
