import { pino } from 'pino';
import { escapeText, escapeValue } from './escape.ts';
import { isoTime } from './iso-time.ts';
import { LineSink } from './line-sink.ts';
import { openStdout } from './stdout.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'text';

export type LogValue = string | number | boolean | null | readonly LogValue[];

/** The surroundings of this process, by name: what every record says alike. */
export type Labels = Readonly<Record<string, string>>;

/** Fields of an operational message; not `level`, `time`, `gateway` or `msg`, which the log sets. */
export interface LogFields {
  /** What happened, as a name: `ready`, `reload`, `drain`. */
  readonly event: string;
  readonly [field: string]: LogValue;
}

/** Where finished lines go; `LineSink` on standard output in production. */
export type LogDestination = Pick<
  LineSink,
  'write' | 'flush' | 'flushSync' | 'dropped' | 'lost' | 'tellLostTo'
>;

export interface LogOptions {
  /** Messages below it are left out. Flow records are `info`. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** The name of this gateway in every record. */
  readonly gateway: string;
  /** Fields that stand beside the gateway in every JSON record. */
  readonly labels?: Labels;
  readonly destination?: LogDestination;
  /** Epoch milliseconds, for messages; flow records carry their events' times. */
  readonly now?: () => number;
}

/** The daemon's one log: flow records and operational messages. No verb throws or waits for the reader. */
export interface Log {
  /** Whether the level lets flow records, which are `info`, through. */
  readonly saysFlows: boolean;
  /**
   * Writes finished lines, each with its newline: flow records, which are put together where flows run. They must not
   * change before `giveBack` was called, if there is one.
   */
  writeLines(lines: Uint8Array, giveBack?: () => void): void;
  /** Counts lines that were lost before they came here. */
  lost(lines: number): void;
  debug(message: string, fields: LogFields): void;
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
  /** Who changed what: written whatever the level, as `info`. */
  audit(message: string, fields: LogFields): void;
  /** Resolves when all is written or lost, or after `timeoutMs`. Await it before `process.exit`. */
  flush(timeoutMs: number): Promise<void>;
  /** For an exit that cannot wait. */
  flushSync(): void;
  /** Lines lost so far: to a closed or slow reader, or on their way here. */
  readonly dropped: number;
}

interface Fields {
  readonly time: string;
  readonly event: string;
  readonly [field: string]: LogValue;
}

/** Renders and writes one line. */
type WriteLine = (level: LogLevel, fields: Fields, message: string) => void;

const RANKS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog({
  level: threshold,
  format,
  gateway,
  labels = {},
  destination = new LineSink({ fd: openStdout() }),
  now = Date.now,
}: LogOptions): Log {
  const writeLine = format === 'json' ? jsonWriter(destination, labels) : textWriter(destination);
  const isEnabled = (level: LogLevel) => RANKS[level] >= RANKS[threshold];

  function say(level: LogLevel) {
    return (message: string, { event, ...rest }: LogFields) =>
      writeLine(level, { time: isoTime(now()), event, gateway, ...rest }, message);
  }
  const operational = (level: LogLevel) => (isEnabled(level) ? say(level) : () => {});

  const warn = operational('warn');
  destination.tellLostTo(lines =>
    warn(`${lines} log lines were lost: the reader was slow or gone, or its disk full`, {
      event: 'log_lost',
      lines,
    }),
  );
  return {
    saysFlows: isEnabled('info'),
    writeLines: (lines, giveBack) => destination.write(lines, giveBack),
    lost: lines => destination.lost(lines),
    debug: operational('debug'),
    info: operational('info'),
    warn,
    error: operational('error'),
    audit: say('info'),
    flush: timeoutMs => destination.flush(timeoutMs),
    flushSync: () => destination.flushSync(),
    get dropped() {
      return destination.dropped;
    },
  };
}

function jsonWriter(destination: LogDestination, labels: Labels): WriteLine {
  const logger = pino(
    {
      level: 'debug',
      base: null,
      timestamp: false, // it stands among the fields, from the same clock as flow records'
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
  return (level, { time, event, gateway, ...rest }, message) =>
    logger[level]({ time, event, gateway, ...labels, ...rest }, message);
}

/** A message is its event, its text and its fields. */
function textWriter(destination: LogDestination): WriteLine {
  return (level, { time, event, gateway, ...rest }, message) => {
    const body = [escapeValue(event), escapeText(message), ...Object.entries(rest).map(textField)].join(' ');
    destination.write(`${time} ${level} ${body}\n`);
  };
}

function textField([name, value]: [string, LogValue]): string {
  return `${escapeValue(name)}=${escapeValue(typeof value === 'string' ? value : JSON.stringify(value))}`;
}
