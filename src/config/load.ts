import type { ParsedPolicy } from '../policy/rules.ts';
import { buildDaemonConfig } from './build-daemon.ts';
import { buildPolicy } from './build-policy.ts';
import type { DaemonConfig } from './daemon-config.ts';
import { daemonSchema } from './daemon-schema.ts';
import { type Diagnostic, inFileOrder } from './diagnostics.ts';
import { detectKind } from './kind.ts';
import { locateFault, type PolicyFile, readPolicyFile } from './policy-file.ts';
import { hashFiles, readPolicyFiles, readSourceFile, type SourceFile } from './read-file.ts';
import { checkSchema } from './schema-diagnostics.ts';
import { readYaml } from './yaml-source.ts';

export type PolicyLoad =
  | {
      readonly ok: true;
      readonly policy: ParsedPolicy;
      readonly sha256: string;
      readonly warnings: readonly Diagnostic[];
    }
  | LoadFailure;

export type DaemonLoad =
  | { readonly ok: true; readonly config: DaemonConfig; readonly warnings: readonly Diagnostic[] }
  | LoadFailure;

/** `diagnostics` is never empty, and all of them are errors. */
export interface LoadFailure {
  readonly ok: false;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Loads a policy from a file or from the `*.yaml` and `*.yml` of a directory. Never throws for what a file holds or
 * for a file that cannot be read.
 */
export async function loadPolicy(path: string, nowMs: number = Date.now()): Promise<PolicyLoad> {
  const files = await readPolicyFiles(path);
  return files.ok ? parsePolicyFiles(files.value, nowMs) : { ok: false, diagnostics: [files.diagnostic] };
}

/** Parses a policy that is at hand as text; `file` is its name in diagnostics. */
export function parsePolicyText(file: string, text: string, nowMs: number): PolicyLoad {
  return parsePolicyFiles([{ file, text, bytes: new TextEncoder().encode(text) }], nowMs);
}

/** Loads a daemon configuration. Never throws for what the file holds or for a file that cannot be read. */
export async function loadDaemonConfig(path: string): Promise<DaemonLoad> {
  const file = await readSourceFile(path);
  return file.ok ? parseDaemonFile(file.value) : { ok: false, diagnostics: [file.diagnostic] };
}

export type AnyLoad =
  | { readonly kind: 'policy'; readonly load: PolicyLoad }
  | { readonly kind: 'daemon'; readonly load: DaemonLoad };

/** Loads whichever of the two a path holds; a directory is a policy. */
export async function loadAny(path: string, nowMs: number = Date.now()): Promise<AnyLoad> {
  const files = await readPolicyFiles(path);
  if (!files.ok) return { kind: 'policy', load: { ok: false, diagnostics: [files.diagnostic] } };
  const [first, ...others] = files.value;
  if (first !== undefined && others.length === 0 && first.file === path) {
    const yaml = readYaml(first.text);
    if (yaml.ok && detectKind(yaml.source.value) === 'daemon')
      return { kind: 'daemon', load: parseDaemonFile(first) };
  }
  return { kind: 'policy', load: parsePolicyFiles(files.value, nowMs) };
}

export function parsePolicyFiles(sources: readonly SourceFile[], nowMs: number): PolicyLoad {
  const files: PolicyFile[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const source of sources) {
    const read = readPolicyFile(source);
    if (read.ok) files.push(read.file);
    else diagnostics.push(...read.diagnostics);
  }
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  const sha256 = hashFiles(sources);
  const built = buildPolicy(files, sha256, nowMs);
  return built.ok ? { ok: true, policy: built.policy, sha256, warnings: built.warnings } : built;
}

function parseDaemonFile({ file, text }: SourceFile): DaemonLoad {
  const yaml = readYaml(text);
  if (!yaml.ok) {
    return {
      ok: false,
      diagnostics: yaml.faults.map(fault => ({ file, path: '', severity: 'error', ...fault })),
    };
  }
  const checked = checkSchema(daemonSchema, yaml.source.value);
  const built = checked.ok ? buildDaemonConfig(file, checked.value) : checked;
  if ('config' in built && built.faults.length === 0) return { ok: true, config: built.config, warnings: [] };
  const diagnostics = built.faults.map(fault => locateFault(file, yaml.source, 'error', fault));
  return { ok: false, diagnostics: inFileOrder(diagnostics) };
}
