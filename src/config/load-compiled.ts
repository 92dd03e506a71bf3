import { compilePolicy } from '../policy/compile.ts';
import type { Diagnostic } from './diagnostics.ts';
import { type LoadFailure, loadPolicy } from './load.ts';

/** A policy ready to be put in force. Plain data: it goes from thread to thread as it is. */
export type CompiledLoad =
  | {
      readonly ok: true;
      /** For `Policy.from`; null when the files are those of the policy that runs. */
      readonly policy: SharedArrayBuffer | null;
      readonly warnings: readonly Diagnostic[];
    }
  | LoadFailure;

/** Enough to mend a policy by, little enough to carry. */
const DIAGNOSTICS_KEPT = 100;

/**
 * Loads and compiles a policy. `runningSha256`: of the policy that runs, null for none. At most a hundred diagnostics
 * and one that counts the rest. Never throws for what a file holds or for a file that cannot be read.
 */
export async function loadCompiled(path: string, runningSha256: string | null): Promise<CompiledLoad> {
  const load = await loadPolicy(path);
  if (!load.ok) return { ok: false, diagnostics: bounded(path, load.diagnostics) };
  const policy = load.sha256 === runningSha256 ? null : compilePolicy(load.policy);
  return { ok: true, policy, warnings: bounded(path, load.warnings) };
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
