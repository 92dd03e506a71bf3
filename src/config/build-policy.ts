import { Cidr } from '../policy/address.ts';
import type { EchMode, Mode } from '../policy/decision.ts';
import type { PresetUse } from '../policy/preset-hint.ts';
import type { Location, ParsedPolicy, Rule, SourceGroup, SourceItem } from '../policy/rules.ts';
import { CIDR_FIX } from './cidr-fix.ts';
import type { Diagnostic, DocumentPath } from './diagnostics.ts';
import { Findings } from './findings.ts';
import type { PolicyDefaults } from './policy-defaults.ts';
import type { PolicyFile } from './policy-file.ts';
import type { RuleInput } from './policy-schema.ts';
import { PolicyVars } from './policy-vars.ts';
import { policyWarnings } from './policy-warnings.ts';
import type { PolicyPresets } from './presets.ts';
import { RuleHosts } from './rule-hosts.ts';
import { parseName } from './scalars.ts';
import { MAX_FAULTS } from './schema-diagnostics.ts';
import { didYouMean } from './suggest.ts';
import { TcpDestinations } from './tcp-destinations.ts';
import { parseVpcEndpoint } from './vpc-endpoint.ts';

export type BuildResult =
  | {
      readonly ok: true;
      readonly policy: ParsedPolicy;
      readonly warnings: readonly Diagnostic[];
      readonly presets: PresetUse;
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** What a policy is built with, beside its files. */
export interface Surroundings {
  readonly presets: PolicyPresets;
  readonly defaults: PolicyDefaults;
  readonly nowMs: number;
}

/** Merges policy files into one policy: settings, variables and groups first, then the rules that use them. */
export function buildPolicy(
  files: readonly PolicyFile[],
  sha256: string,
  surroundings: Surroundings,
): BuildResult {
  const builder = new PolicyBuilder(surroundings);
  for (const file of files) builder.addSettings(file);
  for (const file of files) builder.addRules(file);
  return builder.finish(sha256);
}

/** Settings that several files may say, when they say the same. */
const SETTINGS = ['mode', 'observeUntil', 'ech'] as const;

class PolicyBuilder {
  readonly #findings = new Findings();
  readonly #nowMs: number;
  readonly #presets: PolicyPresets;
  readonly #vars: PolicyVars;
  readonly #hosts: RuleHosts;
  readonly #tcp: TcpDestinations;
  readonly #groups = new Map<string, SourceGroup>();
  readonly #said = new Map<string, { readonly value: unknown; readonly file: PolicyFile }>();
  readonly #places = new Map<string, Location>();
  readonly #rules: Rule[] = [];
  /** Groups and blocks by how `from` writes them. */
  readonly #blocks = new Map<string, SourceItem>();
  #mode: Mode = 'enforce';
  #observeUntilMs: number | null = null;
  #ech: EchMode = 'deny';

  constructor({ presets, defaults, nowMs }: Surroundings) {
    this.#nowMs = nowMs;
    this.#presets = presets;
    this.#vars = new PolicyVars(this.#findings, defaults);
    this.#hosts = new RuleHosts(this.#findings, this.#vars, presets);
    this.#tcp = new TcpDestinations(this.#findings, this.#vars);
  }

  addSettings(file: PolicyFile): void {
    const { input, source } = file;
    for (const key of SETTINGS) {
      // A default is nothing that a file says.
      if (typeof source.value !== 'object' || source.value === null || !Object.hasOwn(source.value, key))
        continue;
      const earlier = this.#said.get(key);
      if (earlier !== undefined && earlier.value !== input[key]) {
        this.#findings.error(file, [key], `${earlier.file.file} says another ${key}`, 'say it in one file');
      }
      this.#said.set(key, { value: input[key], file });
      if (key === 'mode') this.#mode = input.mode;
      else if (key === 'ech') this.#ech = input.ech;
      else this.#observeUntilMs = input.observeUntil ?? null;
    }
    for (const [name, value] of Object.entries(input.vars)) this.#vars.add(file, name, value);
    for (const name of Object.keys(input.sources)) this.#addGroup(file, name);
  }

  addRules(file: PolicyFile): void {
    for (const [index, input] of file.input.rules.entries()) {
      if (this.#findings.errors.length >= MAX_FAULTS) return;
      const path = ['rules', index];
      const location = {
        file: file.file,
        ...file.source.lines.position(file.source.rules[index]?.offset ?? 0),
      };
      const { name, action, protocol, ech = null, until: untilMs = null } = input;
      const groups =
        protocol === 'tcp' ? this.#tcp.read(file, path, input) : this.#hosts.read(file, path, input);
      const from = this.#from(file, path, input);
      for (const { hosts, places, cidrs = [], ports, allowPrivate } of groups) {
        this.#rules.push({
          name,
          action,
          protocol,
          hosts,
          hostPositions: places,
          cidrs,
          ports,
          from,
          untilMs,
          allowPrivate,
          ech,
          location,
        });
      }
      const earlier = this.#places.get(name);
      if (earlier === undefined) this.#places.set(name, location);
      else {
        const message = `the name ${JSON.stringify(name)} is taken by the rule at ${earlier.file}:${earlier.line}`;
        this.#findings.error(file, [...path, 'name'], message, 'give each rule a name of its own');
      }
    }
  }

  finish(sha256: string): BuildResult {
    this.#vars.checkPartition();
    const { errors, warnings } = this.#findings;
    if (errors.length > 0) return { ok: false, diagnostics: errors };
    const policy = {
      mode: this.#mode,
      observeUntilMs: this.#observeUntilMs,
      ech: this.#ech,
      sources: [...this.#groups.values()],
      rules: this.#rules,
      sha256,
    };
    this.#checkObserveUntil();
    this.#vars.warnUnused();
    return {
      ok: true,
      policy,
      warnings: [...warnings, ...policyWarnings(policy, this.#nowMs)],
      presets: { own: this.#presets.own, inUse: this.#hosts.presetsInUse, vars: this.#vars.values },
    };
  }

  #checkObserveUntil(): void {
    const file = this.#said.get('observeUntil')?.file;
    if (file === undefined || this.#observeUntilMs === null) return;
    const path = ['observeUntil'];
    if (this.#mode === 'enforce') {
      const message = 'has no meaning where mode is enforce';
      this.#findings.warn(file, path, message, 'remove it, or say mode: observe');
    } else if (this.#observeUntilMs <= this.#nowMs) {
      this.#findings.warn(file, path, 'has passed: the policy is enforced', 'say mode: enforce instead');
    }
  }

  #addGroup(file: PolicyFile, name: string): void {
    const input = file.input.sources[name];
    if (input === undefined) return;
    const path = ['sources', name];
    const named = parseName(name);
    if (!named.ok) this.#findings.error(file, path, named.message, named.fix);
    if (Cidr.parse(name) !== null)
      this.#findings.error(file, path, 'a group named like an address', 'rename it');
    const earlier = this.#groups.get(name);
    if (earlier !== undefined) {
      this.#findings.error(file, path, `${earlier.location.file} has this group too`, 'say it in one file');
    }
    const location = { file: file.file, ...file.source.locate(path, 'key') };
    const cidrs: Cidr[] = [];
    if (input.cidrs === undefined && input.vpcEndpoints === undefined)
      this.#findings.error(file, path, 'a group of nobody', 'add cidrs or vpcEndpoints');
    for (const [i, text] of (input.cidrs ?? []).entries()) {
      const cidr = Cidr.parse(text);
      if (cidr === null)
        this.#findings.error(
          file,
          [...path, 'cidrs', i],
          `${JSON.stringify(text)} is no address or block`,
          CIDR_FIX,
        );
      else cidrs.push(cidr);
    }
    const vpcEndpoints = input.vpcEndpoints ?? [];
    for (const [i, text] of vpcEndpoints.entries()) {
      const read = parseVpcEndpoint(text);
      if (!read.ok) this.#findings.error(file, [...path, 'vpcEndpoints', i], read.message, read.fix);
    }
    this.#groups.set(name, { name, cidrs, vpcEndpoints, mode: input.mode ?? null, location });
    this.#blocks.set(name, { text: name, cidrs, vpcEndpoints });
  }

  #from(file: PolicyFile, path: DocumentPath, input: RuleInput): SourceItem[] {
    const items: SourceItem[] = [];
    for (const [i, text] of (input.from ?? []).entries()) {
      let item = this.#blocks.get(text);
      if (item === undefined) {
        const cidr = Cidr.parse(text);
        if (cidr === null) {
          const looksLikeName = /^[A-Za-z]/.test(text) && !text.includes(':');
          const fix =
            looksLikeName && this.#groups.size > 0 ? didYouMean(text, [...this.#groups.keys()]) : CIDR_FIX;
          this.#findings.error(
            file,
            [...path, 'from', i],
            `${JSON.stringify(text)} is neither a group of sources nor a block`,
            fix,
          );
          continue;
        }
        item = { text, cidrs: [cidr] };
        this.#blocks.set(text, item);
      }
      items.push(item);
    }
    return items;
  }
}
