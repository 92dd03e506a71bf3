import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../package-root.ts';
import { describePatternFault, parsePattern } from '../policy/pattern.ts';
import type { Preset, PresetCatalogue } from '../policy/presets.ts';
import { type Diagnostic, type DocumentPath, inFileOrder } from './diagnostics.ts';
import { locateFault } from './policy-file.ts';
import { presetSchema } from './preset-schema.ts';
import { listYamlFiles, readSourceFile, readYamlFiles, type SourceFile } from './read-file.ts';
import { parseName } from './scalars.ts';
import { checkSchema, type ValueFault } from './schema-diagnostics.ts';
import { readYaml } from './yaml-source.ts';

export type PresetsLoad =
  | { readonly ok: true; readonly presets: PresetCatalogue }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** The presets that a policy may name. */
export interface PolicyPresets {
  /** Those that it does name, and all that stand beside it. */
  readonly presets: PresetCatalogue;
  /** Of all there are. */
  readonly names: readonly string[];
  readonly own: readonly Preset[];
}

export type PolicyPresetsLoad =
  | ({ readonly ok: true } & PolicyPresets)
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Where the presets that come with sallyport are. */
const SHIPPED = fileURLToPath(new URL('config/presets', PACKAGE_ROOT));

/** Reads all presets that come with sallyport, which takes some 50 ms. */
export async function loadShippedPresets(directory: string = SHIPPED): Promise<PresetsLoad> {
  const files = await readYamlFiles(directory);
  return files.ok ? parsePresets(files.value) : { ok: false, diagnostics: [files.diagnostic] };
}

/**
 * Reads the presets that a policy names, and those only. `own`: the files of its `presets.d`. A preset is named like
 * its file, and none takes the place of another.
 */
export async function loadPolicyPresets(
  own: readonly SourceFile[],
  named: ReadonlySet<string>,
  directory: string = SHIPPED,
): Promise<PolicyPresetsLoad> {
  if (own.length === 0 && named.size === 0) return { ok: true, presets: new Map(), names: [], own: [] };
  const listed = await listYamlFiles(directory);
  if (!listed.ok) {
    const { message } = listed.diagnostic;
    const fix = 'it comes with sallyport: keep your own configuration elsewhere, and mount nothing over it';
    return { ok: false, diagnostics: [{ ...listed.diagnostic, message, fix }] };
  }
  const shipped = new Map(listed.value.map(file => [nameOf(file), file]));
  const clashes = own.filter(({ file }) => shipped.has(nameOf(file)));
  if (clashes.length > 0) {
    const message = 'a preset of this name comes with sallyport';
    return { ok: false, diagnostics: clashes.map(source => wholeFile(source, message, 'rename the file')) };
  }
  const files: SourceFile[] = [...own];
  for (const name of named) {
    const file = shipped.get(name);
    if (file === undefined) continue;
    const read = await readSourceFile(file);
    if (!read.ok) return { ok: false, diagnostics: [read.diagnostic] };
    files.push(read.value);
  }
  const parsed = parsePresets(files);
  if (!parsed.ok) return parsed;
  const names = [...shipped.keys(), ...own.map(({ file }) => nameOf(file))];
  return {
    ok: true,
    presets: parsed.presets,
    names,
    own: [...parsed.presets.values()].filter(({ name }) => !shipped.has(name)),
  };
}

/** Parses preset files. */
function parsePresets(files: readonly SourceFile[]): PresetsLoad {
  const presets = new Map<string, Preset>();
  const diagnostics: Diagnostic[] = [];
  for (const source of files) {
    const read = parsePreset(source);
    if (!read.ok) diagnostics.push(...read.diagnostics);
    // `a.yaml` beside `a.yml`.
    else if (presets.has(read.preset.name))
      diagnostics.push(wholeFile(source, 'another file has this name', 'rename the file'));
    else presets.set(read.preset.name, read.preset);
  }
  return diagnostics.length > 0 ? { ok: false, diagnostics } : { ok: true, presets };
}

type PresetRead =
  | { readonly ok: true; readonly preset: Preset }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

function parsePreset(source: SourceFile): PresetRead {
  const { file, text } = source;
  const name = parseName(nameOf(file));
  if (!name.ok)
    return { ok: false, diagnostics: [wholeFile(source, name.message, `rename the file: ${name.fix}`)] };
  const yaml = readYaml(text);
  if (!yaml.ok) {
    return {
      ok: false,
      diagnostics: yaml.faults.map(fault => ({ file, path: '', severity: 'error', ...fault })),
    };
  }
  const checked = checkSchema(presetSchema, yaml.source.value);
  if (!checked.ok) {
    const diagnostics = checked.faults.map(fault => locateFault(file, yaml.source, 'error', fault));
    return { ok: false, diagnostics: inFileOrder(diagnostics) };
  }
  const faults = checked.value.hosts.flatMap((host, i) => templateFault(['hosts', i], host));
  if (faults.length > 0)
    return { ok: false, diagnostics: faults.map(fault => locateFault(file, yaml.source, 'error', fault)) };
  const { title, sources, note, hosts, allowPrivate, ...rest } = checked.value;
  const ports = [...new Set(rest.ports)].sort((a, b) => a - b);
  return {
    ok: true,
    preset: { name: name.value, title, checked: rest.checked, sources, note, hosts, ports, allowPrivate },
  };
}

/** A host is a pattern once its variables have values: each stands for a part of a name here. */
function templateFault(path: DocumentPath, host: string): ValueFault[] {
  const filled = host.replace(/\{[A-Za-z][\w-]*\}/g, 'x');
  const parsed = parsePattern(filled);
  if (parsed.ok) return [];
  const { message, fix } = describePatternFault(parsed.fault, filled);
  return [{ path, message, fix }];
}

function nameOf(file: string): string {
  return basename(file, extname(file));
}

function wholeFile({ file }: SourceFile, message: string, fix: string): Diagnostic {
  return { file, line: 1, col: 1, path: '', message, fix, severity: 'error' };
}
