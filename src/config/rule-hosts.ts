import type { Cidr } from '../policy/address.ts';
import { describePatternFault, type HostPattern, parsePattern } from '../policy/pattern.ts';
import { SuffixGuard } from '../policy/public-suffix.ts';
import type { HostOrigin, HostPlace } from '../policy/rules.ts';
import { type DocumentPath, formatPath } from './diagnostics.ts';
import type { Findings } from './findings.ts';
import type { PolicyFile } from './policy-file.ts';
import type { RuleInput } from './policy-schema.ts';
import type { PolicyVars } from './policy-vars.ts';
import { PresetExpander } from './preset-hosts.ts';
import type { PolicyPresets } from './presets.ts';
import { readS3Rule } from './s3-rule.ts';
import { writtenHosts } from './written-hosts.ts';

/** Hosts of a rule that share their conditions. */
export interface HostGroup {
  readonly hosts: readonly HostPattern[];
  /** Beside `hosts`. */
  readonly places: readonly HostPlace[];
  /** Sorted, without duplicates. */
  readonly ports: readonly number[];
  readonly allowPrivate: boolean;
  /** Of a tcp rule. */
  readonly cidrs?: readonly Cidr[];
}

interface Found {
  readonly pattern: HostPattern;
  readonly place: HostPlace;
  readonly ports: readonly number[];
  readonly allowPrivate: boolean;
}

const DEFAULT_PORTS: readonly number[] = [443];

/** Reads the hosts of rules: what they name, what their presets hold, and what their buckets are asked by. */
export class RuleHosts {
  readonly #findings: Findings;
  readonly #vars: PolicyVars;
  readonly #presets: PresetExpander;
  readonly #suffixes = new SuffixGuard();

  constructor(findings: Findings, vars: PolicyVars, presets: PolicyPresets) {
    this.#findings = findings;
    this.#vars = vars;
    this.#presets = new PresetExpander(presets, vars);
  }

  get presetsInUse(): string[] {
    return this.#presets.inUse;
  }

  /** Groups in the order of their first hosts; those of `hosts` come first. None when errors left nothing. */
  read(file: PolicyFile, path: DocumentPath, input: RuleInput): HostGroup[] {
    const { hosts, presets, s3 } = input;
    if (input.cidrs !== undefined) {
      const message = 'goes with protocol: tcp: a named rule matches the name a client asks for';
      this.#findings.error(file, [...path, 'cidrs'], message, 'remove it, or say protocol: tcp');
    }
    if (hosts === undefined && presets === undefined && s3 === undefined) {
      this.#findings.error(file, path, 'names no host', 'add hosts: ["api.example.com"], presets or s3');
      return [];
    }
    if (hosts === undefined && input.ports !== undefined) {
      const message = 'goes with hosts: presets and s3 have ports of their own';
      this.#findings.error(file, [...path, 'ports'], message, 'remove it');
    }
    const found = this.#named(file, path, input);
    if (presets === undefined && s3 === undefined) return found.length === 0 ? [] : [groupOf(found)];
    found.push(...this.#ofPresets(file, path, input), ...this.#ofBuckets(file, path, input));
    return groupHosts(found);
  }

  #named(file: PolicyFile, path: DocumentPath, input: RuleInput): Found[] {
    const { hosts = [], allowPrivate = false } = input;
    const ports = input.ports === undefined ? DEFAULT_PORTS : sortPorts(input.ports);
    const found: Found[] = [];
    const context = { vars: this.#vars, findings: this.#findings };
    for (const { index, at, position, texts } of writtenHosts(file, path, hosts, context)) {
      // From here on a host's index in the rule is not its index in the file.
      const isShifted = found.length !== index || texts.length !== 1;
      const place = isShifted ? { ...position, origin: { path: `hosts[${index}]`, preset: null } } : position;
      for (const host of texts) {
        const parsed = parsePattern(host);
        if (!parsed.ok) {
          const { message, fix } = describePatternFault(parsed.fault, host);
          this.#findings.error(file, at, message, fix);
          continue;
        }
        this.#checkSuffix(file, at, input, parsed.pattern);
        found.push({ pattern: parsed.pattern, place, ports, allowPrivate });
      }
    }
    return found;
  }

  #ofPresets(file: PolicyFile, path: DocumentPath, input: RuleInput): Found[] {
    return (input.presets ?? []).flatMap((name, i) => {
      const at = [...path, 'presets', i];
      const expanded = this.#presets.hostsOf(name);
      if (!expanded.ok) {
        this.#findings.error(file, at, expanded.message, expanded.fix);
        return [];
      }
      const { preset, patterns } = expanded;
      const place = this.#placeOf(file, path, ['presets', i], name);
      const allowPrivate = input.allowPrivate ?? preset.allowPrivate;
      for (const pattern of patterns) this.#checkSuffix(file, at, input, pattern);
      return patterns.map(pattern => ({ pattern, place, ports: preset.ports, allowPrivate }));
    });
  }

  #ofBuckets(file: PolicyFile, path: DocumentPath, input: RuleInput): Found[] {
    if (input.s3 === undefined) return [];
    const allowPrivate = input.allowPrivate ?? true;
    const found: Found[] = [];
    for (const entry of readS3Rule(input.s3, this.#vars)) {
      const at = [...path, ...entry.path];
      for (const { message, fix } of entry.errors) this.#findings.error(file, at, message, fix);
      for (const { message, fix } of entry.warnings) this.#findings.warn(file, at, message, fix);
      const place = this.#placeOf(file, path, entry.path, null);
      for (const { host, port } of entry.hosts) {
        const parsed = parsePattern(host);
        if (parsed.ok) found.push({ pattern: parsed.pattern, place, ports: [port], allowPrivate });
        else {
          const { message, fix } = describePatternFault(parsed.fault, host);
          this.#findings.error(file, at, `comes to ${JSON.stringify(host)}: ${message}`, fix);
          break;
        }
      }
    }
    if (found.length === 0 && this.#findings.errors.length === 0) {
      this.#findings.error(
        file,
        [...path, 's3'],
        'opens nothing: no hostname shows these buckets',
        'say allowPathStyle: true',
      );
    }
    return found;
  }

  #placeOf(file: PolicyFile, rule: DocumentPath, within: DocumentPath, preset: string | null): HostPlace {
    const origin: HostOrigin = { path: formatPath(within), preset };
    return { ...file.source.locate([...rule, ...within]), origin };
  }

  /** A deny rule may cover what it likes. */
  #checkSuffix(file: PolicyFile, path: DocumentPath, input: RuleInput, pattern: HostPattern): void {
    if (input.acceptPublicSuffix || input.action === 'deny') return;
    if (!pattern.deep && !pattern.text.includes('*')) return;
    const verdict = this.#suffixes.judge(pattern);
    const fix = 'name the hosts, or say acceptPublicSuffix: true';
    if (verdict.kind === 'covered') {
      const message = `${JSON.stringify(pattern.text)} covers ${verdict.suffix}, where names have unrelated owners`;
      this.#findings.error(file, path, message, fix);
    } else if (verdict.kind === 'registrable') {
      const message = `anyone can register a name under ${verdict.suffix} that matches ${JSON.stringify(pattern.text)}`;
      this.#findings.warn(file, path, message, fix);
    }
  }
}

/** Groups hosts by their conditions. What presets and buckets bring a second time is left out. */
function groupHosts(found: readonly Found[]): HostGroup[] {
  const seen = new Map<string, Found>();
  for (const host of found) {
    const key = `${host.pattern.text} ${host.ports.join()}`;
    const earlier = seen.get(key);
    if (earlier === undefined) seen.set(key, host);
    else if (isWritten(host)) seen.set(`${key} ${seen.size}`, host);
    else if (host.allowPrivate && !earlier.allowPrivate) seen.set(key, { ...earlier, allowPrivate: true });
  }
  const groups = new Map<string, Found[]>();
  for (const host of seen.values()) {
    const key = `${host.ports.join()} ${host.allowPrivate}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [host]);
    else group.push(host);
  }
  return [...groups.values()].map(groupOf);
}

function groupOf(found: readonly Found[]): HostGroup {
  return {
    hosts: found.map(({ pattern }) => pattern),
    places: found.map(({ place }) => place),
    ports: found[0]?.ports ?? DEFAULT_PORTS,
    allowPrivate: found[0]?.allowPrivate ?? false,
  };
}

/** Whether the host itself stands in the rule. */
function isWritten({ place }: Found): boolean {
  return place.origin === undefined || place.origin.path.startsWith('hosts[');
}

/** Ports as a rule holds them. */
export function sortPorts(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((a, b) => a - b);
}
