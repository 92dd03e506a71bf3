import type { CloseEvent, DecisionEvent, FlowIdentity } from '../dataplane/events.ts';
import { escapeValue } from './escape.ts';

/** A log line's fields between `level` and `msg`, in the order they are written. */
export interface FlowRecord {
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly event: 'decision' | 'close';
  readonly [field: string]: string | number | null;
}

/** The fields of a decision record. `suppressed`: identical decisions left out since the last one said, if any. */
export function decisionRecord(event: DecisionEvent, gateway: string, suppressed = 0): FlowRecord {
  const record: FlowRecord = {
    time: isoTime(event.timeMs),
    event: 'decision',
    ...identity(event, gateway),
    state: event.state,
    action: event.action,
    reason: event.reason,
    rule: event.rule,
  };
  return suppressed > 0 ? { ...record, suppressed } : record;
}

/** The fields of a close record. */
export function closeRecord(event: CloseEvent, gateway: string): FlowRecord {
  return {
    time: isoTime(event.timeMs),
    event: 'close',
    ...identity(event, gateway),
    bytes_out: event.bytesOut,
    bytes_in: event.bytesIn,
    duration_ms: Math.round(event.durationMs),
    end: event.end,
  };
}

/** `Gateway=… S_IP=… D_IP=… hostname=… state=… [drop_reason=…] [Rule=…]`, each value escaped. */
export function decisionMessage(event: DecisionEvent, gateway: string): string {
  const dropReason = event.reason === null ? '' : ` drop_reason=${event.reason.toUpperCase()}`;
  const rule = event.rule === null ? '' : ` Rule=${escapeValue(event.rule)}`;
  return `${identityMessage(event, gateway)} state=${event.state}${dropReason}${rule}`;
}

/** The same opening as a decision's; no `state=`, so that a parser that counts verdicts counts each flow once. */
export function closeMessage(event: CloseEvent, gateway: string): string {
  const durationMs = Math.round(event.durationMs);
  return `${identityMessage(event, gateway)} end=${event.end} bytes_out=${event.bytesOut} bytes_in=${event.bytesIn} duration_ms=${durationMs}`;
}

export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function identity(event: FlowIdentity, gateway: string) {
  return {
    gateway,
    flow: event.flow,
    listener: event.listener,
    src_ip: event.srcIp,
    src_port: event.srcPort,
    dst_ip: event.dstIp,
    dst_port: event.dstPort,
    hostname: event.hostname,
    protocol: event.protocol,
  };
}

function identityMessage(event: FlowIdentity, gateway: string): string {
  return `Gateway=${escapeValue(gateway)} S_IP=${escapeValue(event.srcIp)} D_IP=${escapeValue(event.dstIp)} hostname=${escapeValue(event.hostname)}`;
}
