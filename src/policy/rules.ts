import type { Cidr } from './address.ts';
import type { EchMode, Mode } from './decision.ts';
import type { HostPattern } from './pattern.ts';

/** Where something stands in a text. Lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly col: number;
}

/** Where something stands in a file. */
export interface Location extends Position {
  readonly file: string;
}

/** One entry of a rule's `from`: a source group by its name, or one block by its text. */
export interface SourceItem {
  readonly text: string;
  readonly cidrs: readonly Cidr[];
  readonly vpcEndpoints?: readonly string[];
}

/** What in a rule a host comes from, when it is not `hosts` at its own index. */
export interface HostOrigin {
  /** Within the rule: `presets[1]`, `s3.buckets[0]`. */
  readonly path: string;
  /** The preset that has the host; null for none. */
  readonly preset: string | null;
}

/** Where a host stands, and what it comes from. */
export interface HostPlace extends Position {
  readonly origin?: HostOrigin;
}

/**
 * One rule, checked and normalised. A rule whose hosts differ in ports or `allowPrivate`, as those of presets may, is
 * several of these, one after the other, with one name.
 */
export interface Rule {
  readonly name: string;
  readonly action: 'allow' | 'deny';
  /**
   * `named`: matches by the name that the client says. `tcp`: by the destination's address, which lies in `cidrs` or is
   * one that a host resolves to.
   */
  readonly protocol: 'named' | 'tcp';
  /** Never empty in a named rule; in a tcp rule names without wildcards. */
  readonly hosts: readonly HostPattern[];
  /** Where each host stands, beside `hosts`; in the file of `location`. */
  readonly hostPositions: readonly HostPlace[];
  /** Of a tcp rule, which has hosts or these or both. */
  readonly cidrs: readonly Cidr[];
  /** Sorted, without duplicates, never empty. */
  readonly ports: readonly number[];
  /** Empty: any source. */
  readonly from: readonly SourceItem[];
  /** Epoch milliseconds from which the rule no longer matches; null for never. */
  readonly untilMs: number | null;
  readonly allowPrivate: boolean;
  /** Null: the policy's own. */
  readonly ech: EchMode | null;
  readonly location: Location;
}

/** A named group of sources. */
export interface SourceGroup {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  /** VPC endpoints through which its members come, whatever their addresses are: `vpce-08d2bf15fac5001c9`. */
  readonly vpcEndpoints?: readonly string[];
  /** Null: the policy's own. A group's mode is not touched by `observeUntil`. */
  readonly mode: Mode | null;
  readonly location: Location;
}

/** A policy as its file says it, checked whole: what `compilePolicy`, `explain` and the admin API work from. */
export interface ParsedPolicy {
  readonly mode: Mode;
  /** Epoch milliseconds from which `observe` is `enforce`; null for never. */
  readonly observeUntilMs: number | null;
  readonly ech: EchMode;
  readonly sources: readonly SourceGroup[];
  /** In file order; the index is the rule index of a `Ruling`. */
  readonly rules: readonly Rule[];
  /** Of the file's bytes, or of all files of a directory. Lower-case hex. */
  readonly sha256: string;
}
