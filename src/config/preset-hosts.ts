import { REGION_SOURCE } from '../policy/aws.ts';
import { type HostPattern, parsePattern } from '../policy/pattern.ts';
import { expandPreset, type Preset, presetVars } from '../policy/presets.ts';
import { fixMissing, type PolicyVars } from './policy-vars.ts';
import type { PolicyPresets } from './presets.ts';
import { didYouMean } from './suggest.ts';

export type PresetHosts =
  | { readonly ok: true; readonly preset: Preset; readonly patterns: readonly HostPattern[] }
  | { readonly ok: false; readonly message: string; readonly fix: string };

/** What values must look like where presets use them: a typing error would match nothing, in silence. */
const FORMS = { region: new RegExp(`^${REGION_SOURCE}$`), account: /^\d{12}$/ };

/** The presets of one policy, each expanded once under its variables. */
export class PresetExpander {
  readonly #known: PolicyPresets;
  readonly #vars: PolicyVars;
  readonly #expanded = new Map<string, PresetHosts>();

  constructor(known: PolicyPresets, vars: PolicyVars) {
    this.#known = known;
    this.#vars = vars;
  }

  /** Names of the presets that were asked for and are there. */
  get inUse(): string[] {
    return [...this.#expanded.keys()].filter(name => this.#known.presets.has(name));
  }

  hostsOf(name: string): PresetHosts {
    const known = this.#expanded.get(name) ?? this.#expand(name);
    this.#expanded.set(name, known);
    return known;
  }

  #expand(name: string): PresetHosts {
    const preset = this.#known.presets.get(name);
    if (preset === undefined) {
      const fix = didYouMean(name, this.#known.names);
      return { ok: false, message: `unknown preset ${JSON.stringify(name)}`, fix };
    }
    this.#vars.use(presetVars(preset));
    for (const [name, form] of Object.entries(FORMS)) {
      const wrong = this.#vars.values.get(name)?.find(value => !form.test(value));
      if (wrong === undefined || !presetVars(preset).includes(name)) continue;
      return { ok: false, message: `${JSON.stringify(wrong)} is no ${name} of AWS`, fix: fixMissing([name]) };
    }
    const expansion = expandPreset(preset, this.#vars.values);
    if (!expansion.ok) {
      const { missing } = expansion;
      return {
        ok: false,
        message: `preset ${name} needs ${missing.join(' and ')}`,
        fix: fixMissing(missing),
      };
    }
    const patterns: HostPattern[] = [];
    for (const host of expansion.hosts) {
      const parsed = parsePattern(host);
      if (!parsed.ok) {
        const message = `preset ${name} comes to ${JSON.stringify(host)}, which is no hostname`;
        return {
          ok: false,
          message,
          fix: `correct the values of ${presetVars(preset).join(' and ')} in vars`,
        };
      }
      patterns.push(parsed.pattern);
    }
    return { ok: true, preset, patterns };
  }
}
