import { isDeepStrictEqual } from 'node:util';
import { type DocumentPath, formatPath } from './diagnostics.ts';
import { LineTable } from './line-table.ts';
import { applySplices, lineBreakOf } from './text-splice.ts';
import { offsetOf, parseYaml } from './yaml-document.ts';
import { type EditPart, partFor } from './yaml-edit-part.ts';
import { readYaml } from './yaml-source.ts';
import { EditRefusal, splicesFor, type YamlEdit } from './yaml-splices.ts';

export type YamlEditResult =
  | { readonly ok: true; readonly text: string }
  /** The text is laid out in a way that cannot be edited in place. Lines and columns count from 1. */
  | { readonly ok: false; readonly line: number; readonly col: number; readonly message: string };

/** From here on a text is edited by the part that an edit concerns: parsing takes most of the time. */
const LARGE_TEXT = 16 * 1024;
const NO_YAML = 'is no YAML that can be edited';

/**
 * Edits a text in place: every byte stays but for the lines that say what changes. The new text is read back, and its
 * values must be the old ones with the edits applied, nothing more; otherwise the edit is refused.
 */
export function editYaml(
  text: string,
  edits: readonly YamlEdit[],
  largeText: number = LARGE_TEXT,
): YamlEditResult {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  let body = text.slice(bom.length);
  let values = asTree(valuesOf(body));
  if (values === undefined) return refuse(body, 0, NO_YAML);
  for (const edit of edits) {
    values = applyEdit(values, edit);
    const edited = editOnce(body, edit, values, largeText);
    if (!edited.ok) return edited;
    body = edited.text;
  }
  return { ok: true, text: bom + body };
}

/** The text with one edit, so that it says `expected`. */
function editOnce(text: string, edit: YamlEdit, expected: unknown, largeText: number): YamlEditResult {
  const part = text.length < largeText ? null : partFor(text, edit);
  const edited = part === null ? null : editPart(text, part, expected);
  // Whatever stands against it in a part is judged by the whole.
  return edited?.ok === true ? edited : editPart(text, { text, edit, place: offset => offset }, expected);
}

function editPart(text: string, part: EditPart, expected: unknown): YamlEditResult {
  const parsed = parseYaml(part.text);
  if (!parsed.ok) return refuse(text, 0, NO_YAML);
  try {
    const splices = splicesFor(part.text, parsed.document, part.edit, lineBreakOf(text)).map(splice => ({
      start: part.place(splice.start),
      end: part.place(splice.end),
      text: splice.text,
    }));
    const edited = applySplices(text, splices);
    const values = asTree(valuesOf(edited));
    if (isDeepStrictEqual(values, expected)) return { ok: true, text: edited };
    const { path } = part.edit;
    const harm = values === undefined ? 'leave no YAML' : 'change something else as well';
    const message = `changing ${formatPath(path)} here would ${harm}`;
    return refuse(text, part.place(offsetOf(parsed.document, path, 'key')), message);
  } catch (error) {
    if (!(error instanceof EditRefusal)) throw error;
    return refuse(text, part.place(error.offset), error.message);
  }
}

function refuse(text: string, offset: number, message: string): YamlEditResult {
  return { ok: false, ...new LineTable(text).position(offset), message };
}

/** Undefined for what is no YAML. */
function valuesOf(text: string): unknown {
  const read = readYaml(text);
  return read.ok ? read.source.value : undefined;
}

/** What aliases share is copied: an edit must not reach it by another way. */
function asTree(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** The plain values with the edit applied. */
function applyEdit(value: unknown, edit: YamlEdit): unknown {
  return changeAt(value, edit.path, old => {
    switch (edit.kind) {
      case 'set':
        return edit.value;
      case 'unset':
        return undefined;
      case 'append':
        return [...listOf(old), ...edit.values];
      case 'removeItems':
        return listOf(old).filter((_, i) => !edit.indices.includes(i));
      default:
        return edit satisfies never;
    }
  });
}

function changeAt(value: unknown, [step, ...rest]: DocumentPath, change: (old: unknown) => unknown): unknown {
  if (step === undefined) return change(value);
  if (Array.isArray(value)) return value.map((item, i) => (i === step ? changeAt(item, rest, change) : item));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = { ...value };
  const changed = changeAt(copy[step], rest, change);
  if (changed === undefined) delete copy[step];
  else copy[step] = changed;
  return copy;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
