import type { Explanation } from './explain.ts';
import { REASONS } from './reason.ts';
import type { Location } from './rules.ts';

/** An explanation for people: the verdict first, then why, then what nearly matched. Lines without a last newline. */
export function formatExplanation(explanation: Explanation): string {
  const { port, source, vpcEndpoint, action, ruling, rule, groups, nearMisses, hint } = explanation;
  const subject = explanation.hostname ?? bracketed(explanation.address) ?? 'no hostname';
  const through = vpcEndpoint === null ? '' : ` through ${vpcEndpoint}`;
  const lines = [`${action}: ${subject}:${port} from ${source}${through}`];
  if (rule === null) {
    lines.push(`  state ${ruling.state}: ${ruling.reason === null ? 'allowed' : REASONS[ruling.reason]}`);
  } else {
    const verb = rule.action === 'deny' ? 'denied' : 'allowed';
    lines.push(
      `  state ${ruling.state}: ${verb} by rule ${rule.name}, ${rule.pattern} at ${formatLocation(rule.location)}`,
    );
  }
  const via = groups.length === 0 ? '' : ` (source in ${groups.join(', ')})`;
  lines.push(
    `  mode ${ruling.mode}${via}, ech ${ruling.ech}${ruling.allowPrivate ? ', private addresses allowed' : ''}`,
  );
  if (hint !== null) lines.push(`  ${subject} ${hint}`);
  if (nearMisses.length > 0) {
    lines.push('  nearly:');
    for (const miss of nearMisses) {
      lines.push(`    ${formatLocation(miss.location)}: rule ${miss.rule} ${miss.pattern}: ${miss.hint}`);
    }
  }
  return lines.join('\n');
}

function bracketed(address: string | null): string | null {
  return address?.includes(':') === true ? `[${address}]` : address;
}

function formatLocation({ file, line }: Location): string {
  return `${file}:${line}`;
}
