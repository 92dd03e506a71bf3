import type { CloseEvent, DecisionEvent } from '../../src/dataplane/events.ts';
import { LogLines, type LogSummary } from '../../src/flow-log/log-lines.ts';
import { FlowLines } from '../../src/observe/flow-lines.ts';
import type { LogFormat } from '../../src/observe/log.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { bytesIn, linesIn } from '../observe/support.ts';

/** What a log holds, read in chunks of `chunkBytes`. */
export function readLog(
  text: string | Buffer,
  { defaultPort = 443, chunkBytes = Number.POSITIVE_INFINITY } = {},
): { flows: SeenFlow[]; summary: LogSummary } {
  const flows: SeenFlow[] = [];
  const lines = new LogLines(flow => flows.push(flow), defaultPort);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) lines.push(bytes.subarray(at, at + chunkBytes));
  lines.end();
  return { flows, summary: lines.summary };
}

/** The lines that the daemon writes for events, each with its newline. */
export function written(format: LogFormat, ...events: readonly (DecisionEvent | CloseEvent)[]): string[] {
  return writtenFolded(format, 0, ...events);
}

/** The same, each standing for `suppressed` more. */
export function writtenFolded(
  format: LogFormat,
  suppressed: number,
  ...events: readonly (DecisionEvent | CloseEvent)[]
): string[] {
  const lines = new FlowLines({ format, gateway: 'nv-transit-egress' });
  for (const event of events) {
    if ('end' in event) lines.closed(event, suppressed);
    else lines.decided(event, suppressed);
  }
  return linesIn(bytesIn(lines.take().lines));
}

/** A flow of `decision()`, as its record is read back. */
export function seen(rest: Partial<SeenFlow> = {}): SeenFlow {
  return {
    timeMs: Date.UTC(2026, 10, 21, 1, 34, 58, 901),
    source: '10.12.4.21',
    destination: '54.152.28.6',
    hostname: 'registry-1.docker.io',
    port: 443,
    state: 'NO_MATCH',
    action: 'would-deny',
    reason: 'not_allowed',
    rule: null,
    ech: false,
    flows: 1,
    ...rest,
  };
}
