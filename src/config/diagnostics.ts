import type { Location } from '../policy/rules.ts';

/** A path into a document: `['rules', 3, 'hosts', 0]`. */
export type DocumentPath = readonly (string | number)[];

/** One thing wrong with a file: where, what, and how to put it right. */
export interface Diagnostic extends Location {
  readonly severity: 'error' | 'warning';
  /** Where in the document, as `rules[3].hosts[0]`; empty for the file as a whole. */
  readonly path: string;
  /** Lower case, no full stop. */
  readonly message: string;
  readonly fix?: string;
}

/** Orders the diagnostics of one file as they stand in it. */
export function inFileOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => a.line - b.line || a.col - b.col);
}

/** `rules[3].hosts[0]`. Keys that are no plain words are quoted. */
export function formatPath(path: DocumentPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** `policy.yaml:14:7: rules[3].hosts[0]: message (fix)`; a warning says so. One line, whatever the file holds. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, col, path, message, fix, severity } = diagnostic;
  const parts = [`${file}:${line}:${col}`, severity === 'warning' ? 'warning' : '', path, message];
  const text = parts.filter(part => part !== '').join(': ');
  return onOneLine(fix === undefined ? text : `${text} (${fix})`);
}

/** Files come from deployments, not always from friends: no control character reaches a terminal or a log. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
