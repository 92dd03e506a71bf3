import { randomInt } from 'node:crypto';
import { readArguments, UsageError } from '../../bench/arguments.ts';
import type { Extent } from './run-target.ts';
import type { Target } from './target.ts';

export interface FuzzOptions {
  readonly targets: readonly Target[];
  readonly extent: Extent;
  /** Where the report goes besides the terminal: JSON where it ends in .json, else Markdown. */
  readonly report: string | null;
  /** A file of regression rows to be checked instead. */
  readonly replay: string | null;
  readonly help: boolean;
}

const DEFAULT_SECONDS = 60;

/** What `--help` prints. */
export function helpText(targets: readonly Target[]): string {
  return `Usage: npm run fuzz -- [TARGET…] [--seconds N | --runs N] [--seed N] [--report FILE]
       npm run fuzz -- --replay FILE

Holds parts of sallyport against random, changed and made-up input, and against other programs that read the same:
OpenSSL, Node's own parsers, nginx and HAProxy where they are installed. Prints what was run and what was found, each
finding with its smallest input. Listens and dials on loopback only, and changes nothing outside temporary directories.

Targets (all of them by default):
${targets.map(({ name, summary }) => `  ${name.padEnd(14)}${summary}`).join('\n')}

  --seconds N    time for each target (${DEFAULT_SECONDS})
  --runs N       executions of each property instead of a time
  --seed N       what all inputs follow from (random); a finding names the seed that finds it again
  --report FILE  write the report there as well: JSON where it ends in .json, else Markdown
  --replay FILE  check the rows of a file such as test/fixtures/regressions.jsonl, and nothing else

A row of a finding belongs into test/fixtures/regressions.jsonl, which the test suite runs.
It does not prove that nothing is wrong, and it does not measure: see npm run bench.
Exit code: 0 nothing found, 1 something found, 2 wrong arguments.
`;
}

/** Throws UsageError. */
export function readOptions(argv: readonly string[], targets: readonly Target[]): FuzzOptions {
  const { values, positionals } = parse(argv);
  const unknown = positionals.find(name => !targets.some(target => target.name === name));
  if (unknown !== undefined) {
    throw new UsageError(
      `there is no target ${unknown}; targets: ${targets.map(({ name }) => name).join(', ')}`,
    );
  }
  if (values.seconds !== undefined && values.runs !== undefined) {
    throw new UsageError('--seconds and --runs exclude each other: give one of them');
  }
  const runs = values.runs === undefined ? Number.POSITIVE_INFINITY : count('--runs', values.runs, 1);
  return {
    targets: targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    extent: {
      seed: values.seed === undefined ? randomInt(2 ** 31) : count('--seed', values.seed, 0),
      seconds:
        values.runs !== undefined
          ? Number.POSITIVE_INFINITY
          : values.seconds === undefined
            ? DEFAULT_SECONDS
            : count('--seconds', values.seconds, 1),
      runs,
    },
    report: values.report ?? null,
    replay: values.replay ?? null,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  return readArguments({
    args: [...argv],
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      runs: { type: 'string' },
      seed: { type: 'string' },
      report: { type: 'string' },
      replay: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
}

function count(flag: string, text: string, least: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number < 2 ** 31)) {
    throw new UsageError(`${flag} takes a whole number from ${least} to ${2 ** 31 - 1}`);
  }
  return number;
}
