import { isJsonObject, isOwnRecord, type JsonObject, readJsonRecord } from './json-record.ts';
import type { PlainRecordReader } from './plain-record.ts';
import { broken, OTHER, type Reading } from './reading.ts';
import { asTimeMs } from './record-fields.ts';
import { readTextRecord } from './text-record.ts';

/** Where shippers put the line they ship: CloudWatch Logs, Docker, FireLens, journald, Splunk. In order of trust. */
const WRAPPING = ['message', '@message', 'log', 'MESSAGE', 'msg', 'event'];
const TIMES = ['timestamp', '@timestamp', 'time', 'date', '__REALTIME_TIMESTAMP'];
/** A shipper of a shipper of a shipper. */
const MAX_DEPTH = 4;

export interface LineContext {
  readonly plain: PlainRecordReader;
  /** For records that name no port. */
  readonly defaultPort: number;
}

/**
 * Reads one line, without its newline, of any log that may hold decisions: our JSON or text, either of them behind a
 * prefix (a time, a container's name) or inside a text of a JSON object.
 */
export function readLine(line: string, context: LineContext): Reading {
  return readText(line, null, 0, context);
}

function readText(line: string, timeMs: number | null, depth: number, context: LineContext): Reading {
  const text = line.trim();
  const brace = text.indexOf('{"');
  const hasJson = brace === 0 || (brace > 0 && !/(?<!\S)(?:S_IP|state)=/i.test(text.slice(0, brace)));
  if (!hasJson) {
    // `{ "event": …` is JSON too, only not as any shipper writes it.
    return text.startsWith('{')
      ? readJson(text, timeMs, depth, context)
      : readTextRecord(text, timeMs, context.defaultPort);
  }
  const json = text.slice(brace);
  const plain = context.plain.read(`${json}\n`, 0);
  return plain === null
    ? readJson(json, timeMs, depth, context)
    : { kind: 'flow', flow: plain, portAssumed: false };
}

function readJson(text: string, timeMs: number | null, depth: number, context: LineContext): Reading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Anything may stand in a log beside our records; only what looks like one of them is missed.
    return text.includes('decision') || text.includes('S_IP=') ? broken('no whole JSON object') : OTHER;
  }
  return isJsonObject(value) ? readObject(value, timeMs, depth, context) : OTHER;
}

function readObject(record: JsonObject, timeMs: number | null, depth: number, context: LineContext): Reading {
  const own = readJsonRecord(record);
  if (own.kind !== 'other' || depth >= MAX_DEPTH || isOwnRecord(record)) return own;
  const outerMs = TIMES.map(name => asTimeMs(record[name])).find(ms => ms !== null) ?? timeMs;
  for (const name of WRAPPING) {
    const inner = record[name];
    const reading =
      typeof inner === 'string'
        ? readText(inner, outerMs, depth + 1, context)
        : isJsonObject(inner)
          ? readObject(inner, outerMs, depth + 1, context)
          : OTHER;
    if (reading.kind !== 'other') return reading;
  }
  return OTHER;
}
