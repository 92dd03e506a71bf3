import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { CloseEvent, DecisionEvent } from '../../src/dataplane/events.ts';
import type { Tally } from '../../src/observe/flow-tally.ts';
import { bytesOf, type Lines } from '../../src/observe/line-chunks.ts';
import type { TellLost } from '../../src/observe/line-sink.ts';
import type { LogDestination } from '../../src/observe/log.ts';
import { type Report, Reporter, type ReporterSettings } from '../../src/observe/reporter.ts';

export function decision(overrides: Partial<DecisionEvent> = {}): DecisionEvent {
  return {
    flow: 'k3f9',
    listener: 'gw',
    srcIp: '10.12.4.21',
    srcPort: 40312,
    vpcEndpoint: null,
    dstIp: '54.152.28.6',
    dstPort: 443,
    hostname: 'registry-1.docker.io',
    protocol: 'tls',
    timeMs: Date.UTC(2026, 10, 21, 1, 34, 58, 901),
    state: 'NO_MATCH',
    action: 'would-deny',
    reason: 'not_allowed',
    rule: null,
    detail: null,
    ech: false,
    dstMismatch: false,
    sniffMs: 2,
    ...overrides,
  };
}

export function close(overrides: Partial<CloseEvent> = {}): CloseEvent {
  return {
    flow: 'k3f9',
    listener: 'gw',
    srcIp: '10.12.4.21',
    srcPort: 40312,
    dstIp: '54.152.28.6',
    dstPort: 443,
    hostname: 'registry-1.docker.io',
    protocol: 'tls',
    timeMs: Date.UTC(2026, 10, 21, 1, 35, 0, 0),
    bytesOut: 1_200,
    bytesIn: 34_000,
    durationMs: 1_099,
    end: 'client_fin',
    decision: 'said',
    reason: null,
    dialMs: 4,
    dialFailure: null,
    ...overrides,
  };
}

export type FlowEvent = DecisionEvent | CloseEvent;

/** What one thread reports of its flows, as it arrives on another thread. */
export function reportOf(settings: ReporterSettings, ...events: readonly FlowEvent[]): Report {
  const reporter = new Reporter(settings);
  for (const event of events) {
    if ('end' in event) reporter.closed(event);
    else reporter.decided(event);
  }
  return sent(reporter.take());
}

/** A value as another thread receives it. */
function sent<T>(value: T): T {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(value);
  const received: T = receiveMessageOnPort(port2)?.message;
  port1.close();
  return received;
}

/** The bytes of a report's lines. */
export function bytesIn(lines: readonly Lines[]): Uint8Array {
  return Buffer.concat(lines.map(chunk => Uint8Array.from(bytesOf(chunk))));
}

/** The sums of such a report. */
export function tallyOf(...events: readonly FlowEvent[]): Tally {
  return reportOf({ format: 'json', gateway: 'gw', saysFlows: false, fold: null }, ...events).tally;
}

/** The lines in `bytes`, each with its newline. Bytes beyond ASCII come out as other letters, never as they went in. */
export function linesIn(bytes: Uint8Array): string[] {
  return (
    Buffer.from(bytes)
      .toString('latin1')
      .match(/.*?(?:\n|$)/gs)
      ?.filter(line => line !== '') ?? []
  );
}

/** A destination that keeps lines in memory. */
export class MemoryDestination implements LogDestination {
  readonly lines: string[] = [];
  dropped = 0;
  tellLost: TellLost = () => {};

  lost(lines: number): void {
    this.dropped += lines;
  }

  tellLostTo(tell: TellLost): void {
    this.tellLost = tell;
  }

  write(lines: string | Uint8Array): void {
    if (typeof lines === 'string') this.lines.push(lines);
    else this.lines.push(...linesIn(lines));
  }

  async flush(): Promise<void> {}

  flushSync(): void {}
}
