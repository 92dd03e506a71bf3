import { countArgument, readArguments, UsageError } from './arguments.ts';
import { PARTS } from './parts.ts';
import type { Extent } from './stage.ts';

export interface BenchOptions {
  readonly extent: Extent;
  readonly parts: readonly string[];
  readonly save: boolean;
  readonly help: boolean;
}

export const HELP = `Usage: npm run bench -- [--quick] [--only PART,…] [--proxies TEXT,…] [--rounds N] [--rate N] [--save]

Measures sallyport beside HAProxy, nginx and sniproxy, where they are installed: the same load and backend for all,
one core for the proxy and another for the load, rounds interleaved. Prints tables of medians and ranges.

Parts (all of them take about fifteen minutes):
${PARTS.map(({ name, summary }) => `  ${name.padEnd(13)}${summary}`).join('\n')}

  --quick          everything once and small, to see that it works; the figures mean nothing
  --only PART,…    only these parts
  --proxies TEXT,… only proxies whose names contain one of these texts
  --rounds N       rounds of each measurement (3)
  --rate N         the rate of open loops in flows a second, instead of half and 80 % of saturation
  --save           keep the figures in bench/results/, beside those of parts that were not run
`;

/** Throws UsageError. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const values = parse(argv);
  const parts = list(values.only);
  const names = PARTS.map(({ name }) => name);
  const unknown = parts.find(part => !names.includes(part));
  if (unknown !== undefined) throw new UsageError(`there is no part ${unknown}; parts: ${names.join(', ')}`);
  return {
    extent: {
      isQuick: values.quick,
      rounds: values.rounds === undefined ? (values.quick ? 1 : 3) : countArgument('--rounds', values.rounds),
      rate: values.rate === undefined ? null : countArgument('--rate', values.rate),
      proxies: list(values.proxies),
    },
    parts: parts.length > 0 ? parts : names,
    save: values.save,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  return readArguments({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      proxies: { type: 'string' },
      rounds: { type: 'string' },
      rate: { type: 'string' },
      save: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

function list(text = ''): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(Boolean);
}
