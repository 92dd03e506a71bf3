import { Cidr, IpAddress } from './address.ts';
import { asciiText } from './ascii-text.ts';
import { foldHostname, type Hostname } from './hostname.ts';
import { hashName } from './label-hash.ts';
import { CIDR, FLAG, GROUP, HOST, RULE, SCALAR, type Sections, TEXT, viewSections } from './layout.ts';
import { type HostPattern, patternOfNormal } from './pattern.ts';
import type { Policy } from './policy.ts';
import type { Location } from './rules.ts';
import type { NamedBlocks } from './source-groups.ts';
import { SourceIndex } from './source-index.ts';

/** A pattern of a rule, and where it stands. */
export interface WrittenHost {
  readonly pattern: HostPattern;
  readonly location: Location;
}

/**
 * What a compiled policy says in words: names, places, patterns. A view over the same shared memory as `Policy`, made
 * in constant time: nothing is decoded before it is asked for. Rules go by the index of a `Ruling`.
 */
export class RuleBook {
  /** Records: a rule in parts has several, see `isPart`. */
  readonly ruleCount: number;
  readonly #sections: Sections;
  readonly #sources: SourceIndex;
  readonly #seed: number;
  readonly #fileNames: string[] = [];

  constructor({ buffer }: Policy) {
    this.#sections = viewSections(buffer);
    this.ruleCount = this.#sections.rules.length / RULE.size;
    this.#sources = new SourceIndex(this.#sections);
    this.#seed = this.#sections.scalars[SCALAR.seed] ?? 0;
  }

  name(rule: number): string {
    return this.#ascii(this.#field(rule, RULE.name), this.#field(rule, RULE.nameLength));
  }

  /** The rule of this name; -1 for none. */
  ruleNamed(name: string): number {
    const { names } = this.#sections;
    const mask = names.length - 1;
    for (let place = hashName(name, this.#seed) & mask; ; place = (place + 1) & mask) {
      const rule = (names[place] ?? 0) - 1;
      if (rule < 0 || this.name(rule) === name) return rule;
    }
  }

  /** Whether it goes on with the rule before it: the hosts of a rule may differ in ports. */
  isPart(rule: number): boolean {
    return (this.#field(rule, RULE.flags) & FLAG.part) !== 0;
  }

  action(rule: number): 'allow' | 'deny' {
    return (this.#field(rule, RULE.flags) & FLAG.deny) === 0 ? 'allow' : 'deny';
  }

  location(rule: number): Location {
    const file = this.#file(this.#field(rule, RULE.file));
    return { file, line: this.#field(rule, RULE.line), col: this.#field(rule, RULE.col) };
  }

  hosts(rule: number): WrittenHost[] {
    const { hosts } = this.#sections;
    const first = this.#field(rule, RULE.hosts);
    const file = this.#file(this.#field(rule, RULE.file));
    return Array.from({ length: this.#field(rule, RULE.hostCount) }, (_, i) => {
      const at = (first + i) * HOST.size;
      const text = this.#ascii(hosts[at + HOST.text] ?? 0, hosts[at + HOST.length] ?? 0);
      const location = { file, line: hosts[at + HOST.line] ?? 0, col: hosts[at + HOST.col] ?? 0 };
      return { pattern: patternOfNormal(text), location };
    });
  }

  /** Whether it matches by the destination's address instead of a name. */
  isTcp(rule: number): boolean {
    return (this.#field(rule, RULE.flags) & FLAG.tcp) !== 0;
  }

  /** The blocks of destinations that a tcp rule writes. */
  cidrs(rule: number): Cidr[] {
    const first = this.#field(rule, RULE.cidrs);
    return Array.from({ length: this.#field(rule, RULE.cidrCount) }, (_, i) => this.#cidr(first + i));
  }

  /** The names of all tcp rules, each once. */
  tcpHosts(): Hostname[] {
    const hosts = new Set<Hostname>();
    for (let rule = 0; rule < this.ruleCount; rule++) {
      if (!this.isTcp(rule)) continue;
      for (const { pattern } of this.hosts(rule)) hosts.add(foldHostname(pattern.text));
    }
    return [...hosts];
  }

  ports(rule: number): number[] {
    const first = this.#field(rule, RULE.ports);
    return [...this.#sections.ports.subarray(first, first + this.#field(rule, RULE.portCount))];
  }

  /** Epoch milliseconds from which the rule no longer matches; Infinity for never. */
  untilMs(rule: number): number {
    return this.#sections.times[rule + 1] ?? 0;
  }

  /** The sources that the rule is for, in words; empty for any. */
  from(rule: number): string {
    const at = this.#field(rule, RULE.set) * TEXT.size;
    const { setTexts } = this.#sections;
    return this.#ascii(setTexts[at + TEXT.offset] ?? 0, setTexts[at + TEXT.length] ?? 0);
  }

  /** Whether the rule is for this source, or for those who come through this VPC endpoint. */
  isFor(rule: number, source: IpAddress, vpcEndpoint?: string): boolean {
    const set = this.#field(rule, RULE.set);
    if (set === 0 || this.#sources.isIn(this.#sources.blockOf(source), set)) return true;
    return vpcEndpoint !== undefined && this.#sources.isIn(this.#sources.blockOfEndpoint(vpcEndpoint), set);
  }

  /** The source groups, in file order. */
  groups(): NamedBlocks[] {
    const { groups } = this.#sections;
    return Array.from({ length: groups.length / GROUP.size }, (_, i) => {
      const at = i * GROUP.size;
      const first = groups[at + GROUP.cidrs] ?? 0;
      return {
        name: this.#ascii(groups[at + GROUP.name] ?? 0, groups[at + GROUP.nameLength] ?? 0),
        cidrs: Array.from({ length: groups[at + GROUP.cidrCount] ?? 0 }, (_, cidr) =>
          this.#cidr(first + cidr),
        ),
        vpcEndpoints: this.#endpoints(at),
      };
    });
  }

  /** The groups that hold a source, or a VPC endpoint that it comes through, in file order. */
  groupsOf(source: IpAddress, vpcEndpoint?: string): string[] {
    const { groups } = this.#sections;
    const found: string[] = [];
    for (let at = 0; at < groups.length; at += GROUP.size) {
      const first = groups[at + GROUP.cidrs] ?? 0;
      const end = first + (groups[at + GROUP.cidrCount] ?? 0);
      let cidr = first;
      while (cidr < end && !this.#cidr(cidr).contains(source)) cidr++;
      if (cidr < end || this.#hasEndpoint(at, vpcEndpoint))
        found.push(this.#ascii(groups[at + GROUP.name] ?? 0, groups[at + GROUP.nameLength] ?? 0));
    }
    return found;
  }

  #hasEndpoint(group: number, id: string | undefined): boolean {
    return id !== undefined && this.#endpoints(group).includes(id);
  }

  #endpoints(group: number): string[] {
    const { groups, groupEndpoints } = this.#sections;
    const first = groups[group + GROUP.endpoints] ?? 0;
    return Array.from({ length: groups[group + GROUP.endpointCount] ?? 0 }, (_, i) => {
      const at = (first + i) * TEXT.size;
      return this.#ascii(groupEndpoints[at + TEXT.offset] ?? 0, groupEndpoints[at + TEXT.length] ?? 0);
    });
  }

  #field(rule: number, field: number): number {
    return this.#sections.rules[rule * RULE.size + field] ?? 0;
  }

  #cidr(index: number): Cidr {
    const { cidrs } = this.#sections;
    const word = (i: number) => cidrs[index * CIDR.size + CIDR.first + i] ?? 0;
    const prefix = cidrs[index * CIDR.size + CIDR.prefix] ?? 0;
    return Cidr.of(IpAddress.fromWords(word(0), word(1), word(2), word(3)), prefix);
  }

  #file(file: number): string {
    const known = this.#fileNames[file];
    if (known !== undefined) return known;
    const { files, bytes } = this.#sections;
    const offset = files[file * TEXT.size + TEXT.offset] ?? 0;
    const length = files[file * TEXT.size + TEXT.length] ?? 0;
    const name = new TextDecoder().decode(bytes.slice(offset, offset + length));
    this.#fileNames[file] = name;
    return name;
  }

  #ascii(offset: number, length: number): string {
    return asciiText(this.#sections.bytes, offset, length);
  }
}
