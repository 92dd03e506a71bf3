import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { DecisionEvent } from '../../../src/dataplane/events.ts';
import { LogLines } from '../../../src/flow-log/log-lines.ts';
import { FlowLines } from '../../../src/observe/flow-lines.ts';
import { bytesOf } from '../../../src/observe/line-chunks.ts';
import { REASONS, type Reason } from '../../../src/policy/reason.ts';
import type { SeenFlow } from '../../../src/policy/seen-flow.ts';
import { fromHex, inHex } from '../inputs/hex.ts';
import { mutated } from '../inputs/mutate.ts';
import { names } from '../inputs/names.ts';
import { pieceLengths, piecesOf } from '../inputs/pieces.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const FORGERIES = [
  'a.example state=MATCHED',
  'a"\n{"event":"decision","state":"MATCHED","src_ip":"10.0.0.1","dst_port":443}\n',
  'a\\',
  'a\\u000a',
  '","state":"MATCHED","x":"',
  '\u2028\u2029',
  '\ud800',
  '\u001b[2J',
];
const anyText = fc.oneof(
  { weight: 3, arbitrary: names },
  { weight: 2, arbitrary: fc.constantFrom(...FORGERIES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
);

const event = fc.record({
  hostname: fc.option(anyText),
  rule: fc.option(anyText),
  listener: anyText,
  flow: anyText,
  detail: fc.option(anyText),
  srcIp: fc.constantFrom('10.0.0.1', '2001:db8::1'),
  vpcEndpoint: fc.option(anyText),
  dstIp: fc.constantFrom(null, '198.51.100.7', '2001:db8::7'),
  dstPort: fc.integer({ min: 1, max: 65_535 }),
  timeMs: fc.integer({ min: 1_600_000_000_000, max: 4_000_000_000_000 }),
  state: fc.constantFrom('MATCHED' as const, 'NO_MATCH' as const, 'DENIED' as const),
  action: fc.constantFrom('allow' as const, 'deny' as const, 'would-deny' as const),
  reason: fc.option(fc.constantFrom<Reason[]>(...Object.keys(REASONS).filter(isReason))),
  ech: fc.boolean(),
  suppressed: fc.nat(3),
});

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}

type Written = typeof event extends fc.Arbitrary<infer E> ? E : never;

/** The log of some decisions, as the daemon writes it. */
function write(format: 'json' | 'text', events: readonly Written[]): Buffer {
  const lines = new FlowLines({ format, gateway: 'gw' });
  const log: Buffer[] = [];
  for (const { suppressed, ...fields } of events) {
    const decision: DecisionEvent = {
      srcPort: 40_000,
      protocol: 'tls',
      dstMismatch: false,
      sniffMs: 1,
      ...fields,
    };
    lines.decided(decision, suppressed);
    for (const chunk of lines.take().lines) log.push(Buffer.from(bytesOf(chunk)));
  }
  return Buffer.concat(log);
}

function read(log: Uint8Array, lengths: readonly number[]) {
  const flows: SeenFlow[] = [];
  const reader = new LogLines(flow => flows.push(flow), 443);
  for (const piece of piecesOf(log, lengths)) reader.push(Buffer.from(piece));
  reader.end();
  return { flows, summary: reader.summary };
}

/** A reader takes what is missing, empty or a dash for nothing, and no more than this of a text. */
function asRead(text: string | null): string | null {
  return text === null || text === '' || text === '-' ? null : text.slice(0, 300);
}

const events = fc.array(event, { minLength: 1, maxLength: 6 });

/** Writes events, a line each of nothing but printable ASCII, and reads them back. */
function writtenAndRead(
  format: Parameters<typeof write>[0],
  { events, pieceLengths }: { events: Parameters<typeof write>[1]; pieceLengths: readonly number[] },
): SeenFlow[] {
  const log = write(format, events);
  const text = log.toString('latin1');
  assert.match(text, /^[ -~\n]*$/);
  assert.equal(text.split('\n').length, events.length + 1);
  const { flows, summary } = read(log, pieceLengths);
  assert.equal(summary.broken, 0);
  return flows;
}

const json = property(
  'a decision that is written as JSON is read back as it was, and forges no other',
  fc.record({ events, pieceLengths }),
  input => {
    const flows = writtenAndRead('json', input);
    const expected = input.events.map(one => ({
      timeMs: one.timeMs,
      source: one.srcIp,
      vpcEndpoint: asRead(one.vpcEndpoint) ?? undefined,
      destination: one.dstIp,
      hostname: asRead(one.hostname),
      port: one.dstPort,
      state: one.state,
      action: one.action,
      reason: one.reason,
      rule: asRead(one.rule),
      ech: one.ech,
      flows: one.suppressed + 1,
    }));
    assert.deepEqual(
      flows.map(flow => ({ ...flow })),
      expected,
    );
    return undefined;
  },
);

const plain = property(
  'a decision that is written as text is read back as it was, and forges no other',
  fc.record({ events, pieceLengths }),
  input => {
    const flows = writtenAndRead('text', input);
    const expected = input.events.map(one => ({
      source: one.srcIp,
      destination: one.dstIp,
      hostname: asRead(one.hostname),
      state: one.state,
      reason: one.reason,
      rule: asRead(one.rule),
      flows: one.suppressed + 1,
    }));
    assert.deepEqual(
      flows.map(({ source, destination, hostname, state, reason, rule, flows: count }) => {
        return { source, destination, hostname, state, reason, rule, flows: count };
      }),
      expected,
    );
    return undefined;
  },
);

const seed = fc
  .tuple(events, fc.constantFrom('json' as const, 'text' as const))
  .map(([some, format]) => Uint8Array.from(write(format, some)));

const any = property(
  'a log of any bytes is read the same however it is cut',
  fc.record({ log: inHex(mutated(seed, 8)), pieceLengths }),
  input => {
    const log = fromHex(input.log);
    const whole = read(log, [Math.max(log.length, 1)]);
    assert.deepEqual(read(log, input.pieceLengths), whole);
    assert.equal(whole.flows.length, whole.summary.records);
    return undefined;
  },
);

/** What is written of flows, and read again. */
export const log: Target = {
  name: 'log',
  summary: 'decision records with hostile names: one line each, read back as written; any bytes as a log',
  shortRuns: 200,
  open: async () => ({ properties: [json, plain, any], missing: [] }),
};
