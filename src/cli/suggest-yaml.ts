import { Document, isMap, isSeq } from 'yaml';
import type { SuggestedRule, Suggestion } from '../policy/suggest.ts';

/** Short lists stand on one line; hosts and buckets have a line each, so that a diff shows which. */
const IN_A_LINE = new Set(['presets', 'ports', 'from', 'regions', 'cidrs', 'accessPoints']);

export interface SuggestionComments {
  /** Lines before the policy. */
  readonly before: readonly string[];
  readonly beforeRule: (rule: SuggestedRule) => readonly string[];
  /** Lines behind it. */
  readonly after: readonly string[];
}

/** The suggestion as a policy file. Comments must hold no line breaks. */
export function suggestionYaml(suggestion: Suggestion, comments: SuggestionComments): string {
  const { mode, vars, sources, rules } = suggestion;
  const document = new Document(
    {
      version: 1,
      ...(mode === null ? {} : { mode }),
      ...(vars.length === 0 ? {} : { vars: Object.fromEntries(vars) }),
      ...(sources.length === 0
        ? {}
        : { sources: Object.fromEntries(sources.map(({ name, cidrs }) => [name, { cidrs }])) }),
      rules: rules.map(ruleValue),
    },
    { aliasDuplicateObjects: false },
  );
  putInLines(document.contents);
  const list = document.get('rules');
  for (const [i, rule] of rules.entries()) {
    const node = isSeq(list) ? list.items[i] : null;
    if (!isMap(node)) continue;
    node.spaceBefore = i > 0;
    node.commentBefore = asComment(comments.beforeRule(rule));
  }
  document.commentBefore = asComment(comments.before);
  document.comment = asComment(comments.after);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function ruleValue({ name, hosts, presets, s3, ports, from, allowPrivate }: SuggestedRule) {
  return {
    name,
    ...(presets.length === 0 ? {} : { presets }),
    ...(s3 === null ? {} : { s3: s3Value(s3) }),
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(ports.length === 0 ? {} : { ports }),
    ...(from.length === 0 ? {} : { from }),
    ...(allowPrivate ? { allowPrivate } : {}),
  };
}

function s3Value({ buckets, accessPoints, regions }: NonNullable<SuggestedRule['s3']>) {
  return {
    ...(buckets.length === 0 ? {} : { buckets }),
    ...(accessPoints.length === 0 ? {} : { accessPoints }),
    regions,
  };
}

/** Makes the short lists flow lists, all the way down. */
function putInLines(node: unknown): void {
  if (isSeq(node)) for (const item of node.items) putInLines(item);
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    if (isSeq(value) && IN_A_LINE.has(String(key))) value.flow = true;
    else putInLines(value);
  }
}

function asComment(lines: readonly string[]): string {
  return lines.map(line => (line === '' ? '' : ` ${line}`)).join('\n');
}
