/** A policy to measure with. */
export interface PolicyShape {
  readonly name: string;
  readonly rules: number;
  /** Source groups, one of which each rule is for; 0: rules are for all. */
  readonly groups: number;
  /** Whether names are written with an escape, which only the YAML parser reads. */
  readonly isEscaped: boolean;
}

export const SHAPES: readonly PolicyShape[] = [
  { name: '10 rules', rules: 10, groups: 0, isEscaped: false },
  { name: '1 000 rules', rules: 1_000, groups: 0, isEscaped: false },
  { name: '10 000 rules for 1 000 source groups', rules: 10_000, groups: 1_000, isEscaped: false },
  { name: '100 000 rules', rules: 100_000, groups: 0, isEscaped: false },
  { name: '100 000 rules, read by the YAML parser', rules: 100_000, groups: 0, isEscaped: true },
];

/** One host a rule: eight in ten literal, one `*` and one `**`. */
export function policyText({ rules, groups, isEscaped }: PolicyShape): string {
  const lines = ['version: 1', 'mode: enforce'];
  if (groups > 0) lines.push('sources:');
  for (let i = 0; i < groups; i++) lines.push(`  ${groupName(i)}: { cidrs: [10.${i >> 8}.${i & 255}.0/24] }`);
  lines.push('rules:');
  for (let i = 0; i < rules; i++) {
    lines.push(`  - name: ${isEscaped ? `"\\x72ule-${i}"` : `rule-${i}`}`);
    lines.push(`    hosts: [${patternOf(i)}]`);
    if (groups > 0) lines.push(`    from: [${groupName(i % groups)}]`);
    if (i % 7 === 0) lines.push('    ports: [443, 8443]');
  }
  return `${lines.join('\n')}\n`;
}

/** A name that rule `i` matches. */
export function hostnameOf(i: number): string {
  return patternOf(i).replaceAll('"', '').replace('**.', 'a.b.').replace('*.', 'a.');
}

/** An address in the group that rule `i` is for. */
export function sourceOf(i: number, { groups }: PolicyShape): string {
  const group = groups === 0 ? 0 : i % groups;
  return `10.${group >> 8}.${group & 255}.7`;
}

function patternOf(i: number): string {
  switch (i % 10) {
    case 8:
      return `"*.cdn${i}.example${i % 997}.com"`;
    case 9:
      return `"**.zone${i}.example${i % 991}.net"`;
    default:
      return `host${i}.service${i % 1_000}.example.org`;
  }
}

function groupName(i: number): string {
  return `team-${i}`;
}
