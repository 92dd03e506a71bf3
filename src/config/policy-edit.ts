import type { Mode } from '../policy/decision.ts';
import type { YamlEdit } from './yaml-splices.ts';

/** What an operator wants of the policy. Texts are as they will stand in the file. */
export type PolicyEdit = ModeEdit | HostsEdit | HostsRemoval;

export interface ModeEdit {
  readonly kind: 'mode';
  readonly mode: Mode;
  /** The group of sources that gets the mode; null: the policy itself. */
  readonly source: string | null;
  /** For `observe` without a source: the new `observeUntil`. */
  readonly until: string | null;
}

export interface HostsEdit {
  readonly kind: 'add';
  readonly action: 'allow' | 'deny';
  readonly hosts: readonly string[];
  /** The rule to add to, which is made when there is none; null: one that these commands keep. */
  readonly rule: string | null;
  readonly ports: readonly number[] | null;
  readonly from: readonly string[] | null;
  readonly until: string | null;
}

export interface HostsRemoval {
  readonly kind: 'remove';
  readonly action: 'allow' | 'deny';
  readonly hosts: readonly string[];
  /** Null: from the rules that these commands keep. */
  readonly rule: string | null;
}

/** The edits of one file, in order, by its name; `notes` say what is so already. */
export interface PlannedEdits {
  readonly edits: ReadonlyMap<string, readonly YamlEdit[]>;
  readonly notes: readonly string[];
}

/** Why an edit cannot be planned: the question is at fault, not the file. */
export class EditFault extends Error {}
