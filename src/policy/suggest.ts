import type { Mode } from './decision.ts';
import type { PresetCatalogue } from './presets.ts';
import { presetVars } from './presets.ts';
import { SuffixGuard } from './public-suffix.ts';
import type { Seen } from './source-tally.ts';
import { registeredDomain } from './suggest-domains.ts';
import { SuggestedNames } from './suggest-names.ts';
import { neededVars, PresetFitter } from './suggest-presets.ts';
import { bucketsOf, findBuckets } from './suggest-s3.ts';
import type { SeenSites } from './suggest-sites.ts';
import { groupUnits, tallyOf, type Unit, unitsOf } from './suggest-units.ts';
import { findWildcards, parentOf } from './suggest-wildcards.ts';

/** A rule, and what it was made from. Keys that the policy leaves at their defaults are empty or null. */
export interface SuggestedRule {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly presets: readonly string[];
  readonly s3: {
    readonly buckets: readonly string[];
    readonly accessPoints: readonly string[];
    readonly regions: readonly string[];
  } | null;
  /** Empty for the default, or those of the preset or of S3. */
  readonly ports: readonly number[];
  /** Blocks, or the name of a group; empty for any source. */
  readonly from: readonly string[];
  /** Hosts were seen at private addresses, and nothing else in the rule allows these. */
  readonly allowPrivate: boolean;
  readonly seen: Seen;
  /** Flows that carried Encrypted Client Hello, which the rule does not let through by itself. */
  readonly echFlows: number;
  /** The wildcards among `hosts`, and what they stand for. */
  readonly wildcards: readonly { readonly pattern: string; readonly hosts: readonly string[] }[];
  /** How many hosts the preset opens, and those that were not seen; null without one. */
  readonly preset: { readonly opened: number; readonly unseen: readonly string[] } | null;
}

/** A policy that covers what was seen. Plain data, fit for JSON. */
export interface Suggestion {
  /** Null: the policy that this one adds to says it. */
  readonly mode: Mode | null;
  readonly vars: readonly (readonly [name: string, value: string])[];
  readonly sources: readonly { readonly name: string; readonly cidrs: readonly string[] }[];
  readonly rules: readonly SuggestedRule[];
}

export interface SuggestOptions {
  readonly mode: Mode | null;
  /** Allow the hosts that were seen and no other: no wildcards, no presets, no S3 keys. */
  readonly exact: boolean;
  /** So many hosts of one parent make a wildcard; at least 2. */
  readonly minSiblings: number;
  readonly presets: PresetCatalogue;
  /** The policy that this one adds to: names that are taken, and that its variables are its own; null for none. */
  readonly existing: { readonly ruleNames: Iterable<string>; readonly groupNames: Iterable<string> } | null;
}

const DEFAULT_PORT = 443;
/** So many blocks stand in a rule's `from`; more make a group. */
const INLINE_BLOCKS = 3;

/** Suggests the smallest readable policy for what was seen. The same sites give the same policy, to the letter. */
export function suggestPolicy(sites: SeenSites, options: SuggestOptions): Suggestion {
  return new Suggester(sites, options).suggest();
}

type Draft = Partial<SuggestedRule> & { readonly base: string; readonly units: readonly Unit[] };

class Suggester {
  readonly #options: SuggestOptions;
  readonly #units: readonly Unit[];
  readonly #exact: boolean;
  readonly #fitter: PresetFitter;
  readonly #deniedBuckets: ReadonlySet<string>;
  readonly #barredParents: ReadonlySet<string>;
  readonly #guard = new SuffixGuard();
  readonly #ruleNames: SuggestedNames;
  readonly #groupNames: SuggestedNames;
  readonly #groups = new Map<string, { readonly name: string; readonly cidrs: readonly string[] }>();

  constructor(sites: SeenSites, options: SuggestOptions) {
    this.#options = options;
    this.#units = unitsOf(sites.list());
    const wanted = new Set<string>(this.#units.map(({ host }) => host));
    const denied = [...(sites.deniedHosts ?? [])].filter(host => !wanted.has(host));
    // Nothing may be widened where it cannot be told what must not be allowed.
    this.#exact = options.exact || sites.deniedHosts === null;
    this.#fitter = new PresetFitter(usablePresets(options), this.#units, denied);
    this.#deniedBuckets = bucketsOf(denied);
    this.#barredParents = new Set(denied.map(parentOf));
    this.#ruleNames = new SuggestedNames(options.existing?.ruleNames ?? []);
    this.#groupNames = new SuggestedNames(options.existing?.groupNames ?? []);
  }

  suggest(): Suggestion {
    const drafts = groupUnits(this.#units, ({ from }) => from.join(' ')).flatMap(units => this.#draft(units));
    const rules = drafts.map(draft => this.#finish(draft));
    const used = new Set(rules.flatMap(({ presets }) => presets));
    const presets = [...this.#options.presets.values()].filter(({ name }) => used.has(name));
    return {
      mode: this.#options.mode,
      vars: neededVars(presets, this.#fitter.values),
      sources: [...this.#groups.values()],
      rules,
    };
  }

  /** The rules for units of the same sources: presets, buckets, then hosts by the domain they belong to. */
  #draft(units: readonly Unit[]): Draft[] {
    if (this.#exact) return this.#draftHosts(units);
    const { presets, rest: unfitted } = this.#fitter.fit(units);
    const { s3, rest } = findBuckets(unfitted, this.#deniedBuckets);
    return [
      ...presets.map(({ preset, units: belonging, opened, unseen }) => ({
        base: preset.name,
        units: belonging,
        presets: [preset.name],
        preset: { opened, unseen },
      })),
      ...s3.map(({ buckets, accessPoints, regions, units: asked }) => ({
        base: `s3-${regions.join('-')}`,
        units: asked,
        s3: { buckets, accessPoints, regions },
      })),
      ...this.#draftHosts(rest),
    ];
  }

  #draftHosts(units: readonly Unit[]): Draft[] {
    const keyOf = ({ host, ports, isPrivate }: Unit) =>
      `${registeredDomain(host)} ${ports.map(port => String(port).padStart(5)).join()} ${isPrivate}`;
    return groupUnits(units, keyOf).map(group => this.#draftDomain(group));
  }

  /** `units` agree in sources, ports and whether they are private, and there is at least one. */
  #draftDomain(units: readonly Unit[]): Draft {
    const { host = '', ports = [], isPrivate = false } = units[0] ?? {};
    const { wildcards, rest } = findWildcards(units, {
      // A wildcard would let any name lead to a private address, or compete with one that lets none.
      minSiblings: this.#exact || isPrivate ? Number.POSITIVE_INFINITY : this.#options.minSiblings,
      barredParents: this.#barredParents,
      guard: this.#guard,
    });
    const isDefault = ports.length === 1 && ports[0] === DEFAULT_PORT;
    const marks = [...(isDefault ? [] : [portsMark(ports)]), ...(isPrivate ? ['private'] : [])];
    const patterns = wildcards.map(({ pattern }) => pattern);
    return {
      base: [registeredDomain(host), ...marks].join('-'),
      units,
      hosts: [...rest.map(unit => unit.host), ...patterns].sort(byLastLabels),
      wildcards: wildcards.map(({ pattern, units: siblings }) => ({
        pattern,
        hosts: siblings.map(unit => unit.host),
      })),
      ports: isDefault ? [] : ports,
      allowPrivate: isPrivate,
    };
  }

  #finish({ base, units, ...draft }: Draft): SuggestedRule {
    return {
      hosts: [],
      presets: [],
      s3: null,
      ports: [],
      allowPrivate: false,
      wildcards: [],
      preset: null,
      ...draft,
      name: this.#ruleNames.take(base),
      from: this.#from(units[0]?.from ?? []),
      seen: tallyOf(units).seen,
      echFlows: units.reduce((sum, unit) => sum + unit.echFlows, 0),
    };
  }

  #from(blocks: readonly string[]): readonly string[] {
    if (blocks.length <= INLINE_BLOCKS) return blocks;
    const key = blocks.join(' ');
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { name: this.#groupNames.take(`sources-${this.#groups.size + 1}`), cidrs: blocks };
      this.#groups.set(key, group);
    }
    return [group.name];
  }
}

/** Beside another policy, presets with variables would need its own, which are not known here. */
function usablePresets({ presets, existing, exact }: SuggestOptions): PresetCatalogue {
  if (exact) return new Map();
  if (existing === null) return presets;
  return new Map([...presets].filter(([, preset]) => presetVars(preset).length === 0));
}

/** `8443`, `80-443`; of many, the first and how many more. */
function portsMark(ports: readonly number[]): string {
  return ports.length <= 3 ? ports.join('-') : `${ports[0]}-and-${ports.length - 1}-more`;
}

/** By labels from the right, so that hosts of one parent stand together. */
function byLastLabels(a: string, b: string): number {
  const [left, right] = [a, b].map(host => host.split('.').reverse().join('.'));
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
