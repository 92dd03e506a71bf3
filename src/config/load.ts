import type { PresetUse } from '../policy/preset-hint.ts';
import type { ParsedPolicy } from '../policy/rules.ts';
import { buildDaemonConfig } from './build-daemon.ts';
import { buildPolicy } from './build-policy.ts';
import type { DaemonConfig } from './daemon-config.ts';
import { daemonSchema } from './daemon-schema.ts';
import { type Diagnostic, inFileOrder } from './diagnostics.ts';
import { detectKind } from './kind.ts';
import type { PolicyDefaults } from './policy-defaults.ts';
import { locateFault, type PolicyFile, readPolicyFile } from './policy-file.ts';
import { loadPolicyPresets } from './presets.ts';
import {
  hashSources,
  type PolicySources,
  readPolicySources,
  readSourceFile,
  type SourceFile,
} from './read-file.ts';
import { checkSchema } from './schema-diagnostics.ts';
import { readYaml } from './yaml-source.ts';

export type PolicyLoad =
  | {
      readonly ok: true;
      readonly policy: ParsedPolicy;
      readonly sha256: string;
      readonly warnings: readonly Diagnostic[];
      readonly presets: PresetUse;
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
 * Loads a policy from a file or from the `*.yaml` and `*.yml` of a directory, with the presets that it names.
 * `defaults`: values for variables that it does not say. Never throws for what a file holds or for a file that cannot
 * be read.
 */
export async function loadPolicy(
  path: string,
  nowMs: number = Date.now(),
  defaults: PolicyDefaults = {},
): Promise<PolicyLoad> {
  const sources = await readPolicySources(path);
  if (!sources.ok) return { ok: false, diagnostics: [sources.diagnostic] };
  return parsePolicySources(sources.value, nowMs, defaults);
}

/** Parses a policy that is at hand, and reads the presets that it names. */
export async function parsePolicySources(
  sources: PolicySources,
  nowMs: number,
  defaults: PolicyDefaults = {},
): Promise<PolicyLoad> {
  const files: PolicyFile[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const source of sources.files) {
    const read = readPolicyFile(source);
    if (read.ok) files.push(read.file);
    else diagnostics.push(...read.diagnostics);
  }
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  const named = new Set(files.flatMap(({ input }) => input.rules.flatMap(rule => rule.presets ?? [])));
  const presets = await loadPolicyPresets(sources.presets, named);
  if (!presets.ok) return presets;
  const sha256 = hashSources(sources);
  const built = buildPolicy(files, sha256, { presets, defaults, nowMs });
  return built.ok ? { ...built, sha256 } : built;
}

/** Parses a policy of one file that is at hand as text; `file` is its name in diagnostics. */
export function parsePolicyText(file: string, text: string, nowMs: number): Promise<PolicyLoad> {
  const source = { file, text, bytes: new TextEncoder().encode(text) };
  return parsePolicySources({ files: [source], presets: [] }, nowMs);
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
export async function loadAny(
  path: string,
  nowMs: number = Date.now(),
  defaults: PolicyDefaults = {},
): Promise<AnyLoad> {
  const sources = await readPolicySources(path);
  if (!sources.ok) return { kind: 'policy', load: { ok: false, diagnostics: [sources.diagnostic] } };
  const [first, ...others] = sources.value.files;
  if (first !== undefined && others.length === 0 && first.file === path) {
    const yaml = readYaml(first.text);
    if (yaml.ok && detectKind(yaml.source.value) === 'daemon')
      return { kind: 'daemon', load: parseDaemonFile(first) };
  }
  return { kind: 'policy', load: await parsePolicySources(sources.value, nowMs, defaults) };
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
