import { parseArgs } from 'node:util';
import { runPolicyScale } from './policy-scale.ts';
import { SHAPES } from './policy-texts.ts';
import { formatSection } from './report/section.ts';

/** Enough to see that it works. */
const QUICK_RULES = 1_000;

const HELP = `Usage: node build/bench/policy.js [--quick] [--json]

Measures what policies of 10 to 100 000 rules cost: to decide by, to load, to check and to swap.
--quick: one small round, to see that it works; its figures mean nothing. --json: every figure of every round.
`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
} else {
  const section = await runPolicyScale({
    shapes: values.quick ? SHAPES.filter(({ rules }) => rules <= QUICK_RULES) : SHAPES,
    rounds: values.quick ? 1 : 3,
    decisions: values.quick ? 10_000 : 1_000_000,
    swaps: values.quick ? 4 : 10,
    progress: text => process.stderr.write(`${text}\n`),
  });
  process.stdout.write(values.json ? `${JSON.stringify(section)}\n` : `${formatSection(section)}\n`);
}
