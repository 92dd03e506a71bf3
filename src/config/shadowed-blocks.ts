import type { Cidr } from '../policy/address.ts';
import { nestBlocks } from '../policy/nested-blocks.ts';
import type { ParsedPolicy, Rule } from '../policy/rules.ts';
import type { Diagnostic } from './diagnostics.ts';
import { indexesInFiles } from './rule-uses.ts';
import { coversConditions, hasSameEffect } from './shadowed-rules.ts';

/** So many rules with one block are held against a rule. */
const COMPARED = 32;

interface Use {
  readonly rule: Rule;
  /** Of the rule, in its own file. */
  readonly index: number;
  readonly place: number;
  readonly cidr: Cidr;
}

/** Blocks of tcp allow rules that change nothing: a deny rule has them whole, or another allow rule with the same effect. */
export function findShadowedBlocks({ rules }: ParsedPolicy): Diagnostic[] {
  const indexes = indexesInFiles(rules);
  const byBlock = new Map<string, { cidr: Cidr; uses: Use[] }>();
  for (const [i, rule] of rules.entries()) {
    for (const [place, cidr] of rule.cidrs.entries()) {
      const key = cidr.toString();
      const entry = byBlock.get(key) ?? { cidr, uses: [] };
      byBlock.set(key, entry);
      entry.uses.push({ rule, index: indexes[i] ?? 0, place, cidr });
    }
  }
  const { blocks } = nestBlocks(byBlock.values());
  const found: Diagnostic[] = [];
  for (const { value, parent } of blocks) {
    const around = (value?.uses ?? []).slice(0, COMPARED);
    for (let block = parent; block !== 0; block = blocks[block - 1]?.parent ?? 0) {
      around.push(...(blocks[block - 1]?.value?.uses ?? []).slice(0, COMPARED));
    }
    for (const use of value?.uses ?? []) found.push(...judge(use, around));
  }
  return found;
}

function judge(use: Use, around: readonly Use[]): Diagnostic[] {
  const { rule, index, place, cidr } = use;
  if (rule.action === 'deny') return [];
  const others = around.filter(other => other !== use);
  const denial = others.find(other => other.rule.action === 'deny' && coversConditions(other.rule, rule));
  const twin = others.find(
    other =>
      other.rule.action === 'allow' &&
      hasSameEffect(other.rule, rule) &&
      // Of two that say the same, one is told of.
      (!hasSameEffect(rule, other.rule) || other.cidr.toString() !== cidr.toString() || isBefore(other, use)),
  );
  const other = denial ?? twin;
  if (other === undefined) return [];
  const verb = denial === undefined ? 'allowed already' : 'never allowed';
  const { file, line } = other.rule.location;
  const message = `${verb}: rule ${other.rule.name} (${file}:${line}) ${other.rule.action === 'deny' ? 'denies' : 'allows'} ${other.cidr}`;
  const path = `rules[${index}].cidrs[${place}]`;
  return [{ ...rule.location, path, message, fix: 'remove one of the two', severity: 'warning' }];
}

function isBefore(a: Use, b: Use): boolean {
  return a.rule === b.rule ? a.place < b.place : a.rule.name < b.rule.name;
}
