/** A policy as its file says it, as far as the fuzzer writes one. */
export interface PolicyDocument {
  readonly version: 1;
  readonly mode: 'observe' | 'enforce';
  readonly observeUntil?: string;
  readonly ech: 'deny' | 'outer';
  readonly vars: { readonly region: string | readonly string[]; readonly account: string };
  readonly sources: Readonly<Record<string, GroupDocument>>;
  readonly rules: readonly RuleDocument[];
}

export interface GroupDocument {
  readonly cidrs: readonly string[];
  readonly mode?: 'observe' | 'enforce';
}

export interface RuleDocument {
  readonly name: string;
  readonly action?: 'allow' | 'deny';
  readonly protocol?: 'named' | 'tcp';
  readonly hosts?: readonly string[];
  readonly cidrs?: readonly string[];
  readonly presets?: readonly string[];
  readonly s3?: { readonly buckets: readonly string[]; readonly regions?: readonly string[] };
  readonly ports?: readonly number[];
  readonly from?: readonly string[];
  readonly until?: string;
  readonly allowPrivate?: boolean;
  readonly ech?: 'deny' | 'outer';
  readonly acceptPublicSuffix?: boolean;
}

export interface QueryDocument {
  readonly hostname: string;
  readonly port: number;
  readonly source: string;
  readonly nowMs: number;
  /** Of the destination, for tcp rules; null where it is not known. */
  readonly address: string | null;
}

/** What names of tcp rules resolve to. */
export type Zone = Readonly<Record<string, readonly string[]>>;
