import { type Document, isAlias, isMap, isNode, isScalar, isSeq, parseAllDocuments, visit } from 'yaml';
import type { DocumentPath } from './diagnostics.ts';
import { nestsTooDeeply } from './yaml-depth.ts';

/** Something wrong with the YAML itself, at an offset into the text. */
export interface YamlFault {
  readonly offset: number;
  readonly message: string;
  readonly fix: string;
}

export type YamlResult =
  | { readonly ok: true; readonly document: Document.Parsed }
  | { readonly ok: false; readonly faults: readonly YamlFault[] };

const TOO_DEEP: YamlFault = { offset: 0, message: 'is nested too deeply', fix: 'write it flatter' };

/** One broken line can make thousands of faults. */
const MAX_FAULTS = 100;

/**
 * Parses a text that must be exactly one YAML 1.2 document. Duplicate keys are found here rather than by the
 * library, whose check is quadratic in the keys of a map.
 */
export function parseYaml(text: string): YamlResult {
  if (nestsTooDeeply(text)) return { ok: false, faults: [TOO_DEEP] };
  try {
    const documents = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false, logLevel: 'error' });
    const document = Array.isArray(documents) ? documents[0] : undefined;
    const second = documents[1];
    if (document === undefined) return { ok: false, faults: [emptyFault()] };
    const problems = [...document.errors, ...document.warnings];
    if (problems.some(problem => problem.code === 'RESOURCE_EXHAUSTION'))
      return { ok: false, faults: [TOO_DEEP] };
    if (problems.length > 0) {
      const faults = problems.slice(0, MAX_FAULTS).map(p => describeYamlError(p.code, p.message, p.pos[0]));
      return { ok: false, faults };
    }
    if (second !== undefined) {
      const offset = second.range?.[0] ?? 0;
      return {
        ok: false,
        faults: [{ offset, message: 'a second document begins', fix: 'keep one document in a file' }],
      };
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
      return { ok: false, faults: [emptyFault()] };
    }
    const duplicates = duplicateKeys(document);
    return duplicates.length > 0 ? { ok: false, faults: duplicates } : { ok: true, document };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { ok: false, faults: [TOO_DEEP] };
  }
}

export type ValueResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly faults: readonly YamlFault[] };

/** The document as plain values. Aliases that would expand without bound are refused. */
export function toValue(document: Document.Parsed): ValueResult {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error;
    return { ok: false, faults: [aliasFault(document)] };
  }
}

/** The alias without an anchor, which is most likely a pattern without quotes, else the first of too many. */
function aliasFault(document: Document.Parsed): YamlFault {
  let first: number | undefined;
  let fault: YamlFault | undefined;
  visit(document, {
    Alias: (_, alias) => {
      const offset = startOf(alias) ?? 0;
      first ??= offset;
      if (alias.resolve(document) !== undefined) return undefined;
      const text = JSON.stringify(`*${alias.source}`);
      fault = {
        offset,
        message: `${text} is an alias without an anchor in YAML`,
        fix: `put it in quotes: ${text}`,
      };
      return visit.BREAK;
    },
  });
  return fault ?? { offset: first ?? 0, message: 'aliases expand to too much', fix: 'write the values out' };
}

/** The offset of the value at a path, or of its key; of the nearest enclosing node when there is no such value. */
export function offsetOf(document: Document.Parsed, path: DocumentPath, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) return offset;
    let next: unknown;
    let key: unknown;
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(step));
      next = pair?.value;
      key = pair?.key;
    } else if (isSeq(node) && typeof step === 'number') {
      next = node.items[step];
    }
    const isLast = depth === path.length - 1;
    const found = (isLast && part === 'key' ? startOf(key) : undefined) ?? startOf(next) ?? startOf(key);
    if (found === undefined) return offset;
    offset = found;
    node = next;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function duplicateKeys(document: Document.Parsed): YamlFault[] {
  const faults: YamlFault[] = [];
  collectDuplicates(document.contents, faults);
  return faults;
}

function collectDuplicates(node: unknown, faults: YamlFault[]): void {
  if (isMap(node)) {
    const seen = new Set<string>();
    for (const { key, value } of node.items) {
      if (isScalar(key)) {
        const name = String(key.value);
        if (seen.has(name)) {
          const message = `key ${JSON.stringify(name)} is written twice`;
          faults.push({ offset: startOf(key) ?? 0, message, fix: 'keep one of the two' });
        }
        seen.add(name);
      }
      collectDuplicates(value, faults);
    }
  } else if (isSeq(node)) {
    for (const item of node.items) if (!isScalar(item)) collectDuplicates(item, faults);
  }
}

function emptyFault(): YamlFault {
  return { offset: 0, message: 'the file is empty', fix: 'begin with "version: 1"' };
}

/** The library's message in our manner, with a fix. */
function describeYamlError(code: string, message: string, offset: number): YamlFault {
  const text = message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
  switch (code) {
    case 'TAB_AS_INDENT':
      return { offset, message: 'a tab is used for indentation', fix: 'indent with spaces' };
    case 'BAD_INDENT':
      return { offset, message: text, fix: 'align it with the lines of the same level' };
    case 'MISSING_CHAR':
      return { offset, message: text, fix: 'close the bracket or quote, or put a space after the colon' };
    case 'UNEXPECTED_TOKEN':
    case 'BAD_SCALAR_START':
    case 'BLOCK_AS_IMPLICIT_KEY':
    case 'BAD_ALIAS':
      return {
        offset,
        message: text,
        fix: 'put the text in quotes: a host with * must be written "*.example.com"',
      };
    case 'MULTILINE_IMPLICIT_KEY':
      return { offset, message: text, fix: 'end each key with a colon and a space' };
    default:
      return { offset, message: text, fix: 'correct the YAML here' };
  }
}
