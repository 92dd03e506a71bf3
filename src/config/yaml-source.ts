import { type Document, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { Position } from '../policy/rules.ts';
import type { DocumentPath } from './diagnostics.ts';
import { LineTable } from './line-table.ts';
import { type PlainRules, type RulePlace, readPlainRules } from './plain-rules.ts';
import { splitRules } from './yaml-chunks.ts';
import { offsetOf, parseYaml, toValue, type YamlFault } from './yaml-document.ts';

/** One YAML text as plain values, with the way back from a value to its place. */
export interface YamlSource {
  readonly value: unknown;
  /** One entry for each item of the top-level `rules`, when that is a list. */
  readonly rules: readonly RulePlace[];
  readonly lines: LineTable;
  /** The place of the value at a path, or of its key. */
  locate(path: DocumentPath, part?: 'key' | 'value'): Position;
}

export type YamlSourceResult =
  | { readonly ok: true; readonly source: YamlSource }
  | { readonly ok: false; readonly faults: readonly (Position & Omit<YamlFault, 'offset'>)[] };

/**
 * Reads a text that must be exactly one YAML document; in parts where its shape allows, which takes a fraction of the
 * time and means the same.
 */
export function readYaml(text: string, inParts = true): YamlSourceResult {
  const lines = new LineTable(text);
  const parts = inParts ? readInParts(text, lines) : null;
  if (parts !== null) return { ok: true, source: parts };
  const parsed = parseYaml(text);
  const value = parsed.ok ? toValue(parsed.document) : parsed;
  if (!parsed.ok || !value.ok) {
    const faults = !parsed.ok ? parsed.faults : value.ok ? [] : value.faults;
    return {
      ok: false,
      faults: faults.map(({ offset, message, fix }) => ({ ...lines.position(offset), message, fix })),
    };
  }
  const { document } = parsed;
  return {
    ok: true,
    source: {
      value: value.value,
      rules: isMap(document.contents) ? rulePlaces(document.contents.get('rules', true), 0) : [],
      lines,
      locate: (path, part = 'value') => lines.position(offsetOf(document, path, part)),
    },
  };
}

/** Null when the text has not the shape for it, or a fault anywhere: then it is read whole. */
function readInParts(text: string, lines: LineTable): YamlSource | null {
  const split = splitRules(text);
  if (split === null) return null;
  const skeleton = parseYaml(split.skeleton);
  if (!skeleton.ok || !isMap(skeleton.document.contents)) return null;
  const outer = toValue(skeleton.document);
  if (!outer.ok || typeof outer.value !== 'object' || outer.value === null) return null;
  // Something after the cut that belongs to the rules without being one of them.
  if (!('rules' in outer.value) || outer.value.rules !== null) return null;
  const values: unknown[] = [];
  const places: RulePlace[] = [];
  const firsts: number[] = [];
  for (const { start, end } of split.chunks) {
    const rules = readPlainRules(text, start, end) ?? parseRules(text, start, end);
    if (rules === null) return null;
    firsts.push(values.length);
    for (const value of rules.values) values.push(value);
    for (const place of rules.places) places.push(place);
  }
  let last: { chunk: number; document: Document.Parsed } | undefined;
  const offset = (path: DocumentPath, part: 'key' | 'value'): number => {
    const [head, rule, ...rest] = path;
    if (head === 'rules' && typeof rule === 'number') {
      const chunk = firsts.findLastIndex(first => first <= rule);
      const { start, end } = split.chunks[chunk] ?? { start: 0, end: 0 };
      if (last?.chunk !== chunk) {
        const parsed = parseYaml(text.slice(start, end));
        if (!parsed.ok) return start;
        last = { chunk, document: parsed.document };
      }
      return start + offsetOf(last.document, [rule - (firsts[chunk] ?? 0), ...rest], part);
    }
    const found = offsetOf(skeleton.document, path, part);
    return found < split.cut ? found : found + split.removed;
  };
  return {
    value: { ...outer.value, rules: values },
    rules: places,
    lines,
    locate: (path, part = 'value') => lines.position(offset(path, part)),
  };
}

/** As `readPlainRules`, for whatever YAML can say. Null for a fault. */
export function parseRules(text: string, start: number, end: number): PlainRules | null {
  const parsed = parseYaml(text.slice(start, end));
  if (!parsed.ok || !isSeq(parsed.document.contents)) return null;
  const value = toValue(parsed.document);
  if (!value.ok || !Array.isArray(value.value)) return null;
  return { values: value.value, places: rulePlaces(parsed.document.contents, start) };
}

function rulePlaces(rules: unknown, base: number): RulePlace[] {
  if (!isSeq(rules)) return [];
  return rules.items.map(rule => {
    const offset = base + startOf(rule);
    if (!isMap(rule)) return { offset, hosts: [] };
    const hosts = rule.items.find(pair => isScalar(pair.key) && pair.key.value === 'hosts')?.value;
    return { offset, hosts: isSeq(hosts) ? hosts.items.map(host => base + startOf(host)) : [] };
  });
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
