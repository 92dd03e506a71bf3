import { broken, OTHER, type Reading } from './reading.ts';
import { asAction, asFlows, asPort, asState, asTimeMs, textOrNull } from './record-fields.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether it is a record of ours, of any event. What its message quotes may come from anyone who can send a request:
 * an audit line names the path that was asked for.
 */
export function isOwnRecord({ level, event, gateway, msg }: JsonObject): boolean {
  return [level, event, gateway, msg].every(value => typeof value === 'string');
}

/** Reads a decision record of ours, in any order of its fields. Fields that are not known are passed over. */
export function readJsonRecord(record: JsonObject): Reading {
  if (record.event !== 'decision') return OTHER;
  const state = asState(record.state);
  if (state === null) return broken('a decision without a state of MATCHED, NO_MATCH or DENIED');
  const source = textOrNull(record.src_ip);
  if (source === null) return broken('a decision without src_ip');
  const port = asPort(record.dst_port);
  if (port === null) return broken('a decision without a dst_port from 1 to 65535');
  const flows = asFlows(record.suppressed);
  if (flows === null) return broken('suppressed is no count');
  for (const name of ['hostname', 'dst_ip', 'vpc_endpoint', 'reason', 'rule']) {
    const value = record[name];
    if (value !== undefined && value !== null && typeof value !== 'string')
      return broken(`${name} is no text`);
  }
  return {
    kind: 'flow',
    portAssumed: false,
    flow: {
      timeMs: asTimeMs(record.time),
      source,
      vpcEndpoint: textOrNull(record.vpc_endpoint) ?? undefined,
      destination: textOrNull(record.dst_ip),
      hostname: textOrNull(record.hostname),
      port,
      state,
      action: asAction(record.action),
      reason: textOrNull(record.reason),
      rule: textOrNull(record.rule),
      ech: record.ech === true,
      flows,
    },
  };
}
