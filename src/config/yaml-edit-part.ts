import { splitRules } from './yaml-chunks.ts';
import type { YamlEdit } from './yaml-splices.ts';

/** The part of a large text that an edit concerns. */
export interface EditPart {
  readonly text: string;
  /** The edit, as it reads within the part. */
  readonly edit: YamlEdit;
  /** Turns an offset into the part into one into the whole text. */
  place(offset: number): number;
}

/**
 * Finds the run of rules that an edit concerns, or all that is no rule, so that a text of 100 000 rules need not be
 * parsed whole for one of them. Null where the text has not the shape for it, or the edit concerns more.
 */
export function partFor(text: string, edit: YamlEdit): EditPart | null {
  const split = splitRules(text);
  if (split === null) return null;
  const [head, index, ...rest] = edit.path;
  if (head !== 'rules') {
    return {
      text: split.skeleton,
      edit,
      place: offset => (offset < split.cut ? offset : offset + split.removed),
    };
  }
  const touched = typeof index === 'number' ? [index] : edit.kind === 'removeItems' ? edit.indices : [];
  const chunk = split.chunks.find(({ first, rules }, i) =>
    touched.length === 0
      ? i === split.chunks.length - 1
      : touched.every(rule => rule >= first && rule < first + rules),
  );
  // A run that loses all its rules is no list any more.
  if (chunk === undefined || (edit.kind === 'removeItems' && touched.length >= chunk.rules)) return null;
  const { start, end, first } = chunk;
  const path = typeof index === 'number' ? [index - first, ...rest] : [];
  const within =
    edit.kind === 'removeItems' && path.length === 0
      ? { ...edit, path, indices: edit.indices.map(rule => rule - first) }
      : { ...edit, path };
  return { text: text.slice(start, end), edit: within, place: offset => start + offset };
}
