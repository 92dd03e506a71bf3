import { pino } from 'pino';
import type { CloseEvent, DecisionEvent, FlowObserver } from '../dataplane/events.ts';
import { escapeText, escapeValue } from './escape.ts';
import { LineSink } from './line-sink.ts';
import { closeMessage, closeRecord, decisionMessage, decisionRecord, isoTime } from './log-record.ts';
import { openStdout } from './stdout.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'text';

export type LogValue = string | number | boolean | null | readonly LogValue[];

/** Fields of an operational message; not `level`, `time`, `gateway` or `msg`, which the log sets. */
export interface LogFields {
  /** What happened, as a name: `ready`, `reload`, `drain`. */
  readonly event: string;
  readonly [field: string]: LogValue;
}

/** Where finished lines go; `LineSink` on standard output in production. */
export type LogDestination = Pick<LineSink, 'write' | 'flush' | 'flushSync' | 'dropped'>;

export interface LogOptions {
  /** Messages below it are left out. Flow records are `info`. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** The name of this gateway in every record. */
  readonly gateway: string;
  readonly destination?: LogDestination;
  /** Epoch milliseconds, for messages; flow records carry their events' times. */
  readonly now?: () => number;
}

/** The daemon's one log: flow records and operational messages. No verb throws or waits for the reader. */
export interface Log extends FlowObserver {
  /** `suppressed`: identical decisions left out since the last one said. */
  decided(event: DecisionEvent, suppressed?: number): void;
  closed(event: CloseEvent): void;
  debug(message: string, fields: LogFields): void;
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
  /** Resolves when all is written or lost, or after `timeoutMs`. Await it before `process.exit`. */
  flush(timeoutMs: number): Promise<void>;
  /** For an exit that cannot wait. */
  flushSync(): void;
  /** Lines lost to a closed or slow reader so far. */
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
  destination = new LineSink({ fd: openStdout() }),
  now = Date.now,
}: LogOptions): Log {
  const writeLine = format === 'json' ? jsonWriter(destination) : textWriter(destination);
  const isEnabled = (level: LogLevel) => RANKS[level] >= RANKS[threshold];
  const saysFlows = isEnabled('info');

  function operational(level: LogLevel) {
    if (!isEnabled(level)) return () => {};
    return (message: string, { event, ...rest }: LogFields) =>
      writeLine(level, { time: isoTime(now()), event, gateway, ...rest }, message);
  }

  return {
    decided(event, suppressed = 0) {
      if (!saysFlows) return;
      writeLine('info', decisionRecord(event, gateway, suppressed), decisionMessage(event, gateway));
    },
    closed(event) {
      if (saysFlows) writeLine('info', closeRecord(event, gateway), closeMessage(event, gateway));
    },
    debug: operational('debug'),
    info: operational('info'),
    warn: operational('warn'),
    error: operational('error'),
    flush: timeoutMs => destination.flush(timeoutMs),
    flushSync: () => destination.flushSync(),
    get dropped() {
      return destination.dropped;
    },
  };
}

function jsonWriter(destination: LogDestination): WriteLine {
  const logger = pino(
    {
      level: 'debug',
      base: null,
      timestamp: false, // a flow record's time is its event's: it stands among the fields
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
  return (level, fields, message) => logger[level](fields, message);
}

/** Flow records are their message, which parsers know; messages are event, text and fields. */
function textWriter(destination: LogDestination): WriteLine {
  return (level, { time, event, gateway, ...rest }, message) => {
    const isFlow = event === 'decision' || event === 'close';
    const body = isFlow
      ? message
      : [escapeValue(event), escapeText(message), ...Object.entries(rest).map(textField)].join(' ');
    destination.write(`${time} ${level} ${body}\n`);
  };
}

function textField([name, value]: [string, LogValue]): string {
  return `${escapeValue(name)}=${escapeValue(typeof value === 'string' ? value : JSON.stringify(value))}`;
}
