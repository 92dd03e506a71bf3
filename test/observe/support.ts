import type { CloseEvent, DecisionEvent } from '../../src/dataplane/events.ts';
import type { LogDestination } from '../../src/observe/log.ts';

export function decision(overrides: Partial<DecisionEvent> = {}): DecisionEvent {
  return {
    flow: 'k3f9',
    listener: 'gw',
    srcIp: '10.12.4.21',
    srcPort: 40312,
    dstIp: '54.152.28.6',
    dstPort: 443,
    hostname: 'registry-1.docker.io',
    protocol: 'tls',
    timeMs: Date.UTC(2026, 10, 21, 1, 34, 58, 901),
    state: 'NO_MATCH',
    action: 'would-deny',
    reason: 'not_allowed',
    rule: null,
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
    dialMs: 4,
    dialFailure: null,
    ...overrides,
  };
}

/** A destination that keeps lines in memory. */
export class MemoryDestination implements LogDestination {
  readonly lines: string[] = [];
  readonly dropped = 0;

  write(line: string): void {
    this.lines.push(line);
  }

  async flush(): Promise<void> {}

  flushSync(): void {}
}
