import { countArgument, readArguments, UsageError } from '../../bench/arguments.ts';

export interface SoakOptions {
  readonly flows: number;
  /** Ends after so many seconds though not all flows were made; null: as long as it takes. */
  readonly seconds: number | null;
  readonly seed: number;
  readonly dataplane: 'epoll' | 'portable';
  /** Clients at a time. */
  readonly width: number;
  readonly report: string | null;
  readonly help: boolean;
}

export const HELP = `Usage: npm run soak -- [--flows N] [--seconds N] [--seed N] [--dataplane KIND] [--width N] [--report FILE]

Sends good and hostile flows of some thirty kinds through one daemon: TLS, CONNECT, SOCKS5 and plain HTTP, allowed,
denied, malformed, slow, cut and half-closed in every state. Meanwhile the policy is changed, for better and for worse,
an upstream goes and comes, and DNS fails. At the end the clients' view, the records, the metrics, the upstreams' view
and the sites must agree to the last flow and byte, and descriptors and memory must be back. Exits with 1, and the
differences, when something does not.

All of it is on loopback addresses of this host, in this process and one daemon. It measures no speed.

  --flows N         clients' connections (100000); with a million, 10 to 20 minutes
  --seconds N       end after so long in any case
  --seed N          which kind comes when (1)
  --dataplane KIND  epoll (default) or portable
  --width N         clients at a time (64)
  --report FILE     write a report in Markdown
  --help            this
`;

/** Throws UsageError. */
export function readOptions(argv: readonly string[]): SoakOptions {
  const values = parse(argv);
  const { dataplane } = values;
  if (dataplane !== 'epoll' && dataplane !== 'portable') {
    throw new UsageError(`--dataplane takes epoll or portable, not ${dataplane}`);
  }
  return {
    flows: countArgument('--flows', values.flows),
    seconds: values.seconds === undefined ? null : countArgument('--seconds', values.seconds),
    seed: countArgument('--seed', values.seed),
    dataplane,
    width: countArgument('--width', values.width),
    report: values.report ?? null,
    help: values.help,
  };
}

function parse(argv: readonly string[]) {
  return readArguments({
    args: [...argv],
    options: {
      flows: { type: 'string', default: '100000' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      dataplane: { type: 'string', default: 'epoll' },
      width: { type: 'string', default: '64' },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}
