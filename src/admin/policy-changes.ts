import type { PolicyChange } from '../config/plan-change.ts';
import type { PolicyStatus } from './daemon-api.ts';

/** Who asks for a change, as far as it is known. */
export interface Requester {
  /** `127.0.0.1:40312`; null where there is no connection. */
  readonly peer: string | null;
  /** What lets them: the bearer token, or that they are on this host. */
  readonly auth: 'token' | 'loopback';
  /** The name they give themselves; nobody has checked it. */
  readonly user: string | null;
}

export interface ChangeRequest {
  /** Hashes of which the policy (of a replacement: its file) must have one; null: any will do. */
  readonly ifMatch: readonly string[] | null;
  /** Works the change out, and writes nothing. */
  readonly dryRun: boolean;
  /** Enforces although readiness says no. */
  readonly force: boolean;
  readonly by: Requester;
}

/** Why a change was not made, or not kept. */
export type Refusal =
  /** The change or the policy is at fault: it cannot be worked in, or would not load. */
  | 'invalid'
  /** There is no such file. */
  | 'missing'
  /** The policy is not the one that was meant, or was changed meanwhile. */
  | 'changed'
  /** Too many others are waiting. */
  | 'busy'
  /** This process may not write it. */
  | 'unwritable'
  /** Readiness says no, or nobody can tell. */
  | 'not_ready'
  /** The daemon did not take it; the old text was put back. */
  | 'not_loaded';

export interface ChangeReport {
  /** Hashes of the whole policy. */
  readonly before: string;
  readonly after: string;
  /** Unified. */
  readonly diff: string;
  /** In words, bounded. */
  readonly changes: readonly string[];
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

export type ChangeOutcome =
  /** `policy`: what the daemon runs now, another than `after` when somebody was faster; null where no daemon was told. */
  | (ChangeReport & { readonly result: 'applied'; readonly policy: PolicyStatus | null })
  /** `etag`: what `ifMatch` has to hold for the change to be made as it was planned. */
  | (ChangeReport & { readonly result: 'planned'; readonly etag: string })
  | (ChangeReport & { readonly result: 'unchanged' })
  | {
      readonly result: 'refused';
      readonly refusal: Refusal;
      /** The last one sums them up. */
      readonly errors: readonly string[];
      /** What would have changed, where that is known. */
      readonly diff: string;
    };

/** One file of the policy, as it is on the disk now. */
export interface PolicyText {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

/** What the admin HTTP can do to the policy. */
export interface PolicyChanges {
  /** Changes the policy, one change after the other. Never rejects for what is asked. */
  change(change: PolicyChange, request: ChangeRequest): Promise<ChangeOutcome>;
  /** The files that the policy is made of; `isDirectory` when they stand in one. */
  read(): Promise<
    | {
        readonly ok: true;
        readonly isDirectory: boolean;
        readonly sha256: string;
        readonly files: readonly PolicyText[];
      }
    | { readonly ok: false; readonly error: string }
  >;
}
