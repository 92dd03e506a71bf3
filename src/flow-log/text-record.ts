import { unescapeValue } from '../observe/escape.ts';
import { broken, OTHER, type Reading } from './reading.ts';
import { asFlows, asPort, asState, asTimeMs, textOrNull } from './record-fields.ts';

/** `KEY=value` between white space; a value may stand in quotes. Nothing here can backtrack over more than a field. */
const FIELD = /(?<!\S)([A-Za-z][A-Za-z_]{0,31})=(?:"([^"]*)"|(\S*))/g;
const TIME = /(?<![\w:.-])\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)(?!\S)/i;
/** Where a time is looked for: what stands before the fields. */
const PREFIX_LENGTH = 256;

const KNOWN = new Set([
  's_ip',
  'd_ip',
  'd_port',
  'hostname',
  'state',
  'drop_reason',
  'rule',
  'vpc_endpoint',
  'suppressed',
]);

/**
 * Reads `Gateway=… S_IP=… D_IP=… hostname=… state=… [drop_reason=…] [Rule=…] [vpc_endpoint=…] [suppressed=…]`, in any order, with
 * anything before, between and after. The form names no port unless by `D_PORT=`: `defaultPort` stands in for it.
 * A field that stands twice is not believed: a name that was logged unescaped may have forged the second.
 */
export function readTextRecord(text: string, timeMs: number | null, defaultPort: number): Reading {
  const fields = new Map<string, string>();
  let isTwice = false;
  for (const [, key = '', quoted, bare = ''] of text.matchAll(FIELD)) {
    const name = key.toLowerCase();
    if (!KNOWN.has(name)) continue;
    if (fields.has(name)) isTwice = true;
    fields.set(name, quoted ?? bare);
  }
  // A close record has no state; a line with less is not of this family.
  if (!fields.has('state') || !(fields.has('s_ip') || fields.has('hostname'))) return OTHER;
  if (isTwice) return broken('a field stands twice');
  const value = (name: string) => textOrNull(unescapeValue(fields.get(name) ?? ''));
  const number = (name: string) => (fields.has(name) ? Number(fields.get(name) || Number.NaN) : undefined);
  const state = asState(value('state'));
  if (state === null) return broken('state is none of MATCHED, NO_MATCH and DENIED');
  const source = value('s_ip');
  if (source === null) return broken('no S_IP');
  if (!fields.has('hostname')) return broken('no hostname');
  const port = fields.has('d_port') ? asPort(number('d_port')) : defaultPort;
  if (port === null) return broken('D_PORT is no port');
  const flows = asFlows(number('suppressed'));
  if (flows === null) return broken('suppressed is no count');
  return {
    kind: 'flow',
    portAssumed: !fields.has('d_port'),
    flow: {
      timeMs: asTimeMs(TIME.exec(text.slice(0, PREFIX_LENGTH))?.[0]) ?? timeMs,
      source,
      vpcEndpoint: value('vpc_endpoint') ?? undefined,
      destination: value('d_ip'),
      hostname: value('hostname'),
      port,
      state,
      action: null,
      reason: value('drop_reason')?.toLowerCase() ?? null,
      rule: value('rule'),
      ech: false,
      flows,
    },
  };
}
