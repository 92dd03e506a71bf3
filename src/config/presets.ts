import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Preset, PresetCatalogue } from '../policy/presets.ts';
import { type Diagnostic, inFileOrder } from './diagnostics.ts';
import { locateFault } from './policy-file.ts';
import { presetSchema } from './preset-schema.ts';
import { readYamlFiles, type SourceFile } from './read-file.ts';
import { parseName } from './scalars.ts';
import { checkSchema } from './schema-diagnostics.ts';
import { readYaml } from './yaml-source.ts';

export type PresetsLoad =
  | { readonly ok: true; readonly presets: PresetCatalogue }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Where the presets that come with sallyport are. */
const SHIPPED_PRESETS = fileURLToPath(new URL('../../config/presets', import.meta.url));

/** Reads the presets that come with sallyport. */
export async function loadShippedPresets(directory: string = SHIPPED_PRESETS): Promise<PresetsLoad> {
  const files = await readYamlFiles(directory);
  return files.ok ? parsePresets(files.value, new Map()) : { ok: false, diagnostics: [files.diagnostic] };
}

/** Adds the presets of some files to a catalogue. A file's name is its preset's, and no preset takes another's place. */
export function parsePresets(files: readonly SourceFile[], known: PresetCatalogue): PresetsLoad {
  const presets = new Map(known);
  const diagnostics: Diagnostic[] = [];
  for (const source of files) {
    const read = parsePreset(source);
    if (!read.ok) diagnostics.push(...read.diagnostics);
    else if (presets.has(read.preset.name))
      diagnostics.push(
        wholeFile(
          source,
          `the name ${JSON.stringify(read.preset.name)} is taken by another preset`,
          'rename the file',
        ),
      );
    else presets.set(read.preset.name, read.preset);
  }
  return diagnostics.length > 0 ? { ok: false, diagnostics } : { ok: true, presets };
}

type PresetRead =
  | { readonly ok: true; readonly preset: Preset }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

function parsePreset(source: SourceFile): PresetRead {
  const { file, text } = source;
  const name = parseName(basename(file, extname(file)));
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
  const { title, sources, note, hosts, allowPrivate, ...rest } = checked.value;
  const ports = [...new Set(rest.ports)].sort((a, b) => a - b);
  return {
    ok: true,
    preset: { name: name.value, title, checked: rest.checked, sources, note, hosts, ports, allowPrivate },
  };
}

function wholeFile({ file }: SourceFile, message: string, fix: string): Diagnostic {
  return { file, line: 1, col: 1, path: '', message, fix, severity: 'error' };
}
