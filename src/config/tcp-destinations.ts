import { Cidr } from '../policy/address.ts';
import { describePatternFault, type HostPattern, parsePattern } from '../policy/pattern.ts';
import type { HostPlace } from '../policy/rules.ts';
import { CIDR_FIX } from './cidr-fix.ts';
import type { DocumentPath } from './diagnostics.ts';
import type { Findings } from './findings.ts';
import type { PolicyFile } from './policy-file.ts';
import type { RuleInput } from './policy-schema.ts';
import type { PolicyVars } from './policy-vars.ts';
import { type HostGroup, sortPorts } from './rule-hosts.ts';
import { writtenHosts } from './written-hosts.ts';

/** Each name is asked for again and again for as long as the policy is in force. */
const MAX_HOSTS = 1_000;
/** Where clients say a name first, which a tcp rule does not look at. */
const NAMED_PORTS = [443, 80];
/** A block this wide, or wider, is hardly meant: over 128 bits, an IPv4 /7. */
const WIDE_PREFIX = { 4: 96 + 7, 6: 15 } as const;
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].flatMap(
  text => Cidr.parse(text) ?? [],
);

/** Reads the destinations of tcp rules: names that are kept resolved, and blocks of addresses. */
export class TcpDestinations {
  readonly #findings: Findings;
  readonly #vars: PolicyVars;
  readonly #names = new Set<string>();

  constructor(findings: Findings, vars: PolicyVars) {
    this.#findings = findings;
    this.#vars = vars;
  }

  /** One group; none when errors left nothing. */
  read(file: PolicyFile, path: DocumentPath, input: RuleInput): HostGroup[] {
    const { ports, hosts, cidrs: blocks, allowPrivate = false } = input;
    for (const key of ['presets', 's3', 'ech'] as const) {
      if (input[key] === undefined) continue;
      const message = 'goes with names on the wire, which a tcp rule does not look at';
      this.#findings.error(file, [...path, key], message, 'remove it, or say protocol: named');
    }
    if (hosts === undefined && blocks === undefined) {
      const fix = 'add hosts: ["github.com"] or cidrs: ["203.0.113.0/24"]';
      this.#findings.error(file, path, 'a tcp rule names no destination', fix);
      return [];
    }
    if (ports === undefined) {
      const fix = 'add ports: [22], or whatever the servers listen on';
      this.#findings.error(file, path, 'a tcp rule says its ports: there is no usual one', fix);
      return [];
    }
    const found = this.#hosts(file, path, hosts ?? []);
    const cidrs = this.#cidrs(file, path, input);
    if (input.action === 'allow') this.#warnOfNamedPorts(file, path, ports);
    if (found.length === 0 && cidrs.length === 0) return [];
    return [
      {
        hosts: found.map(({ pattern }) => pattern),
        places: found.map(({ place }) => place),
        cidrs,
        ports: sortPorts(ports),
        allowPrivate,
      },
    ];
  }

  #hosts(file: PolicyFile, path: DocumentPath, hosts: readonly string[]) {
    const found: { pattern: HostPattern; place: HostPlace }[] = [];
    const context = { vars: this.#vars, findings: this.#findings };
    for (const { index, at, position, texts } of writtenHosts(file, path, hosts, context)) {
      const place = { ...position, origin: { path: `hosts[${index}]`, preset: null } };
      for (const host of texts) {
        const pattern = this.#name(file, at, host);
        if (pattern !== null) found.push({ pattern, place });
      }
    }
    return found;
  }

  /** A name that can be resolved. */
  #name(file: PolicyFile, at: DocumentPath, host: string): HostPattern | null {
    const parsed = parsePattern(host);
    if (!parsed.ok) {
      const isAddress = Cidr.parse(host) !== null;
      const { message, fix } = describePatternFault(parsed.fault, host);
      this.#findings.error(
        file,
        at,
        isAddress ? 'an address is no hostname' : message,
        isAddress ? 'write it in cidrs' : fix,
      );
      return null;
    }
    const { pattern } = parsed;
    if (pattern.deep || pattern.text.includes('*')) {
      const message = `${JSON.stringify(pattern.text)} is a pattern: no name on the wire shows what a tcp flow is for, and only whole names resolve to addresses`;
      this.#findings.error(file, at, message, 'name the hosts, or write their addresses in cidrs');
      return null;
    }
    if (!this.#names.has(pattern.text) && this.#names.size === MAX_HOSTS) {
      const message = `more than ${MAX_HOSTS} hosts in tcp rules cannot be kept resolved`;
      this.#findings.error(file, at, message, 'write their addresses in cidrs');
      return null;
    }
    this.#names.add(pattern.text);
    return pattern;
  }

  #cidrs(file: PolicyFile, path: DocumentPath, { cidrs = [], action, allowPrivate }: RuleInput): Cidr[] {
    return cidrs.flatMap((text, i) => {
      const at = [...path, 'cidrs', i];
      const cidr = Cidr.parse(text);
      if (cidr === null) {
        this.#findings.error(file, at, `${JSON.stringify(text)} is no address or block`, CIDR_FIX);
        return [];
      }
      if (action === 'deny') return [cidr];
      if (cidr.prefix <= WIDE_PREFIX[cidr.first.family]) {
        const message = `${text} opens a large part of the Internet to whatever is spoken there`;
        this.#findings.warn(file, at, message, 'write the blocks that are meant');
      } else if (allowPrivate !== true && isPrivate(cidr)) {
        const message = `${text} is private: without allowPrivate nothing in it is reached, unless destinations.allow covers it`;
        this.#findings.warn(file, at, message, 'say allowPrivate: true');
      }
      return [cidr];
    });
  }

  #warnOfNamedPorts(file: PolicyFile, path: DocumentPath, ports: readonly number[]): void {
    const named = NAMED_PORTS.filter(port => ports.includes(port));
    if (named.length === 0) return;
    const message = `on port ${named.join(' and ')} clients say a name, which is not looked at for these destinations: whatever else is served there opens with them`;
    this.#findings.warn(file, [...path, 'ports'], message, 'use a rule without protocol: tcp');
  }
}

function isPrivate({ first, last }: Cidr): boolean {
  return PRIVATE.some(block => block.contains(first) && block.contains(last));
}
