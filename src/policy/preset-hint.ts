import type { VarValues } from './host-template.ts';
import { PresetIndex, type PresetMatch } from './preset-index.ts';
import type { Preset } from './presets.ts';
import { readS3Host } from './s3.ts';

/** What a policy makes of presets. Plain data. */
export interface PresetUse {
  /** Those that stand beside the policy. */
  readonly own: readonly Preset[];
  /** Names of those that its rules name. */
  readonly inUse: readonly string[];
  readonly vars: VarValues;
}

/** Tells what a host that no rule allows is known as. */
export class PresetHints {
  readonly #index: PresetIndex;
  readonly #inUse: ReadonlySet<string>;
  readonly #vars: VarValues;

  constructor(shipped: Iterable<Preset>, { own, inUse, vars }: PresetUse) {
    this.#index = new PresetIndex([...shipped, ...own]);
    this.#inUse = new Set(inUse);
    this.#vars = vars;
  }

  /** One line for a hostname in lower case; null when nothing is known of it. */
  hintFor(hostname: string): string | null {
    const matches = this.#index.find(hostname);
    const used = matches.find(({ preset }) => this.#inUse.has(preset.name));
    if (used !== undefined) return this.#hintOfUsed(used);
    if (matches.length > 0) {
      const names = matches.map(({ preset }) => preset.name);
      const which = names.length === 1 ? `preset ${names[0]}` : `presets ${names.join(', ')}`;
      return `belongs to ${which}, which no rule uses`;
    }
    return hintOfBucket(hostname);
  }

  #hintOfUsed({ preset, vars }: PresetMatch): string {
    const other = [...vars].filter(([name, value]) => this.#vars.get(name)?.includes(value) !== true);
    if (other.length === 0)
      return `belongs to preset ${preset.name}, whose rule has another port, source or end`;
    const values = other.map(([name, value]) => `${name} ${value}`).join(' and ');
    return `belongs to preset ${preset.name} under ${values}, which vars does not have`;
  }
}

function hintOfBucket(hostname: string): string | null {
  const reading = readS3Host(hostname);
  if (reading === null) return null;
  const { form, bucket, accessPoint } = reading;
  if (bucket !== null) return `is S3 bucket ${bucket} (${form}), which no s3 rule has`;
  if (accessPoint !== null) return `is S3 access point ${accessPoint} (${form}), which no s3 rule has`;
  return 'is S3 by path: the bucket does not show, and an s3 rule opens it only with allowPathStyle';
}
