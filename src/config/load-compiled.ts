import { compilePolicy } from '../policy/compile.ts';
import type { PresetUse } from '../policy/preset-hint.ts';
import type { Diagnostic } from './diagnostics.ts';
import { type LoadFailure, loadPolicy } from './load.ts';
import type { PolicyDefaults } from './policy-defaults.ts';

/** A policy ready to be put in force. Plain data: it goes from thread to thread as it is. */
export type CompiledLoad =
  | {
      readonly ok: true;
      /** For `Policy.from`; null when the files are those of the policy that runs. */
      readonly policy: SharedArrayBuffer | null;
      readonly warnings: readonly Diagnostic[];
      readonly presets: PresetUse;
    }
  | LoadFailure;

/** What is loaded, and with what. Plain data. */
export interface LoadJob {
  readonly path: string;
  /** Of the policy that runs; null for none. */
  readonly runningSha256: string | null;
  readonly defaults: PolicyDefaults;
}

/** Enough to mend a policy by, little enough to carry. */
const DIAGNOSTICS_KEPT = 100;

/**
 * Loads and compiles a policy. At most a hundred diagnostics and one that counts the rest. Never throws for what a file
 * holds or for a file that cannot be read.
 */
export async function loadCompiled({ path, runningSha256, defaults }: LoadJob): Promise<CompiledLoad> {
  const load = await loadPolicy(path, Date.now(), defaults);
  if (!load.ok) return { ok: false, diagnostics: bounded(path, load.diagnostics) };
  const policy = load.sha256 === runningSha256 ? null : compilePolicy(load.policy);
  return { ok: true, policy, warnings: bounded(path, load.warnings), presets: load.presets };
}

/** A policy that cannot be loaded for a reason that lies in none of its lines. */
export function loadFailure(path: string, message: string, fix: string): LoadFailure {
  return {
    ok: false,
    diagnostics: [{ file: path, line: 1, col: 1, path: '', message, fix, severity: 'error' }],
  };
}

function bounded(path: string, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const [first] = diagnostics;
  const more = diagnostics.length - DIAGNOSTICS_KEPT;
  if (first === undefined || more <= 0) return diagnostics;
  const rest: Diagnostic = {
    file: path,
    line: 1,
    col: 1,
    path: '',
    message: `${more} more of this kind`,
    fix: `sallyport check ${path} says them all`,
    severity: first.severity,
  };
  return [...diagnostics.slice(0, DIAGNOSTICS_KEPT), rest];
}
