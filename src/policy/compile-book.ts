import type { Cidr } from './address.ts';
import type { BytePool } from './byte-pool.ts';
import { hashName } from './label-hash.ts';
import { CIDR, HOST, RULE, TEXT } from './layout.ts';
import type { Rule, SourceGroup } from './rules.ts';

/** Lays down what a policy's rules say in words, for `RuleBook`. */
export class BookBuilder {
  readonly #pool: BytePool;
  readonly #seed: number;
  readonly #hosts: number[] = [];
  readonly #groups: number[] = [];
  readonly #cidrs: number[] = [];
  readonly #endpoints: number[] = [];
  readonly #files = new Map<string, number>();
  readonly #names: Uint32Array;
  #records = 0;
  #named = 0;

  constructor(pool: BytePool, seed: number, ruleCount: number) {
    this.#pool = pool;
    this.#seed = seed;
    let places = 4;
    while (places < 2 * ruleCount) places *= 2;
    this.#names = new Uint32Array(places);
  }

  /** Rules so far, not counting the parts that go on with one. */
  get ruleCount(): number {
    return this.#named;
  }

  /** Fills in the words of the rule's record. */
  addRule(rule: Rule, isPart: boolean, record: Uint32Array): void {
    const { file, line, col } = rule.location;
    record[RULE.name] = this.#pool.add(rule.name);
    record[RULE.nameLength] = rule.name.length;
    record[RULE.hosts] = this.#hosts.length / HOST.size;
    record[RULE.hostCount] = rule.hosts.length;
    record[RULE.cidrs] = this.#cidrs.length / CIDR.size;
    record[RULE.cidrCount] = rule.cidrs.length;
    this.#addCidrs(rule.cidrs);
    record[RULE.file] = this.#file(file);
    record[RULE.line] = line;
    record[RULE.col] = col;
    for (const [i, { text }] of rule.hosts.entries()) {
      const position = rule.hostPositions[i] ?? rule.location;
      this.#hosts.push(this.#pool.add(text), text.length, position.line, position.col);
    }
    this.#records++;
    if (!isPart) this.#addName(rule.name);
  }

  addGroup({ name, cidrs, vpcEndpoints = [] }: SourceGroup): void {
    this.#groups.push(this.#pool.add(name), name.length);
    this.#groups.push(this.#cidrs.length / CIDR.size, cidrs.length);
    this.#groups.push(this.#endpoints.length / TEXT.size, vpcEndpoints.length);
    this.#addCidrs(cidrs);
    for (const id of vpcEndpoints) this.#endpoints.push(this.#pool.add(id), id.length);
  }

  finish(setTexts: readonly string[]) {
    return {
      hosts: this.#hosts,
      setTexts: setTexts.flatMap(text => [this.#pool.add(text), text.length]),
      files: [...this.#files.keys()].flatMap(file => {
        const { offset, length } = this.#pool.addUtf8(file);
        return [offset, length];
      }),
      names: this.#names,
      groups: this.#groups,
      cidrs: this.#cidrs,
      groupEndpoints: this.#endpoints,
    };
  }

  #addCidrs(cidrs: readonly Cidr[]): void {
    for (const { first, prefix } of cidrs) this.#cidrs.push(...first.words, prefix);
  }

  #addName(name: string): void {
    const mask = this.#names.length - 1;
    let place = hashName(name, this.#seed) & mask;
    while (this.#names[place] !== 0) place = (place + 1) & mask;
    this.#names[place] = this.#records;
    this.#named++;
  }

  #file(file: string): number {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const index = this.#files.size;
    this.#files.set(file, index);
    return index;
  }
}
