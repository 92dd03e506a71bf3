import { isDeepStrictEqual } from 'node:util';
import { type DocumentPath, formatPath } from './diagnostics.ts';
import { LineTable } from './line-table.ts';
import { applySplices } from './text-splice.ts';
import { offsetOf, parseYaml, toValue, type YamlResult } from './yaml-document.ts';
import { EditRefusal, splicesFor, type YamlEdit } from './yaml-splices.ts';

export type YamlEditResult =
  | { readonly ok: true; readonly text: string }
  /** The text is laid out in a way that cannot be edited in place. Lines and columns count from 1. */
  | { readonly ok: false; readonly line: number; readonly col: number; readonly message: string };

/**
 * Edits a text in place: every byte stays but for the lines that say what changes. The new text is read back, and its
 * values must be the old ones with the edits applied, nothing more; otherwise the edit is refused.
 */
export function editYaml(text: string, edits: readonly YamlEdit[]): YamlEditResult {
  let current = text;
  for (const edit of edits) {
    const edited = editOnce(current, edit);
    if (!edited.ok) return edited;
    current = edited.text;
  }
  return { ok: true, text: current };
}

function editOnce(text: string, edit: YamlEdit): YamlEditResult {
  const bom = text.startsWith('\uFEFF') ? '\uFEFF' : '';
  const body = text.slice(bom.length);
  const before = parseYaml(body);
  const values = valuesOf(before);
  if (!before.ok || values === undefined) return refuse(body, 0, 'is no YAML that can be edited');
  try {
    const after = applySplices(body, splicesFor(body, before.document, edit));
    const expected = applyEdit(asTree(values), edit);
    if (isDeepStrictEqual(asTree(valuesOf(parseYaml(after))), expected))
      return { ok: true, text: bom + after };
    return refuse(
      body,
      offsetOf(before.document, edit.path, 'key'),
      `changing ${formatPath(edit.path)} here would change something else as well`,
    );
  } catch (error) {
    if (!(error instanceof EditRefusal)) throw error;
    return refuse(body, error.offset, error.message);
  }
}

function refuse(text: string, offset: number, message: string): YamlEditResult {
  return { ok: false, ...new LineTable(text).position(offset), message };
}

function valuesOf(parsed: YamlResult): unknown {
  const values = parsed.ok ? toValue(parsed.document) : parsed;
  return values.ok ? values.value : undefined;
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
