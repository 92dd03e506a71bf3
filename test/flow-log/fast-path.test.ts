import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readJsonRecord } from '../../src/flow-log/json-record.ts';
import { PlainRecordReader } from '../../src/flow-log/plain-record.ts';
import { PlainTextReader } from '../../src/flow-log/plain-text-record.ts';
import { readTextRecord } from '../../src/flow-log/text-record.ts';
import { close, decision } from '../observe/support.ts';
import { readLog, seen, written, writtenFolded } from './support.ts';

const plainJson = new PlainRecordReader();
const plainText = new PlainTextReader(443);

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a.example', '10.0.0.1', 'api', '-', 'a,') },
  { weight: 1, arbitrary: fc.constantFrom('x y', 'a=b', '"', '\\', 'a\\x20b', '\\u0041', 'é', '') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const event = fc
  .record({
    hostname: fc.option(text),
    srcIp: text,
    vpcEndpoint: fc.option(text, { freq: 2 }),
    dstIp: fc.option(text),
    dstPort: fc.constantFrom(0, 1, 443, 65_535, 65_536),
    state: fc.constantFrom('MATCHED', 'NO_MATCH', 'DENIED'),
    action: fc.constantFrom('allow', 'deny', 'would-deny'),
    reason: fc.option(fc.constantFrom('not_allowed', 'ech')),
    rule: fc.option(text),
    detail: fc.option(fc.constantFrom('server-name-count')),
    ech: fc.boolean(),
    timeMs: fc.integer({ min: 0, max: 4e12 }),
  })
  .map(fields => decision(fields));
const folded = fc.constantFrom(0, 0, 1, 41);
/** Damage: some bytes of a line replaced by others, left out or doubled. */
const damage = fc.array(
  fc.tuple(fc.nat(600), fc.nat(20), fc.constantFrom('', ' ', '"', '\\', ',', '}', '\r', 'é', '0', 'a', '=')),
  { maxLength: 1 },
);

function damaged(line: string, hurts: readonly (readonly [number, number, string])[]): string {
  return hurts.reduce(
    (hurt, [at, count, by]) => hurt.slice(0, at) + by + hurt.slice(at + count),
    line.trimEnd(),
  );
}

describe('what the fast path takes, the slow one reads the same', () => {
  test('in JSON', () => {
    let taken = 0;
    fc.assert(
      fc.property(event, folded, damage, (decided, more, hurts) => {
        const line = damaged(writtenFolded('json', more, decided).join(''), hurts)
          .split('\n', 1)
          .join('');
        const fast = plainJson.read(`${Buffer.from(line).toString('latin1')}\n`, 0);
        if (fast === null) return;
        taken++;
        expect(readJsonRecord(JSON.parse(line))).toEqual({ kind: 'flow', flow: fast, portAssumed: false });
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(300);
  });

  test('in text', () => {
    let taken = 0;
    fc.assert(
      fc.property(event, folded, damage, (decided, more, hurts) => {
        const line = damaged(writtenFolded('text', more, decided).join(''), hurts)
          .split('\n', 1)
          .join('');
        const fast = plainText.read(`${Buffer.from(line).toString('latin1')}\n`, 0);
        if (fast === null) return;
        taken++;
        expect(readTextRecord(line.trim(), null, 443)).toEqual({
          kind: 'flow',
          flow: fast,
          portAssumed: true,
        });
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(300);
  });
});

describe('the fast path takes what the daemon writes', () => {
  test.each([
    ['a denial', decision()],
    ['an allowed flow', decision({ state: 'MATCHED', action: 'allow', reason: null, rule: 'api' })],
    ['a flow without a name', decision({ hostname: null, dstIp: null, reason: 'no_hostname' })],
    ['a malformed one', decision({ hostname: null, reason: 'malformed_hello', detail: 'server-name-count' })],
    ['one with ECH', decision({ ech: true })],
  ])('%s', (_, decided) => {
    for (const more of [0, 41]) {
      const expected = { state: decided.state, flows: more + 1 };
      expect(plainJson.read(writtenFolded('json', more, decided).join(''), 0)).toMatchObject(expected);
      expect(plainText.read(writtenFolded('text', more, decided).join(''), 0)).toMatchObject(expected);
    }
  });
});

test('any decision comes back from either format as it went in', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), fc.integer({ min: 1, max: 400 }), (events, chunkBytes) => {
      const whole = events.filter(
        ({ dstPort, srcIp }) => dstPort >= 1 && dstPort <= 65_535 && !/^-?$/.test(srcIp),
      );
      const expected = whole.map(decided =>
        seen({
          timeMs: decided.timeMs,
          source: decided.srcIp,
          vpcEndpoint: absent(decided.vpcEndpoint) ?? undefined,
          destination: absent(decided.dstIp),
          hostname: absent(decided.hostname),
          port: decided.dstPort,
          state: decided.state,
          action: decided.action,
          reason: decided.reason,
          rule: absent(decided.rule),
          ech: decided.ech,
        }),
      );
      const log = whole
        .flatMap(decided => [...written('json', decided), ...written('json', close())])
        .join('');
      expect(readLog(log, { chunkBytes }).flows).toEqual(expected);
      const textLog = whole
        .flatMap(decided => [...written('text', decided), ...written('text', close())])
        .join('');
      expect(readLog(textLog, { chunkBytes }).flows).toEqual(
        expected.map(flow => ({ ...flow, action: null, port: 443, ech: false })),
      );
    }),
    { numRuns: 300 },
  );
});

/** A name of no character or of a dash alone is none: text cannot tell them apart. */
function absent(value: string | null): string | null {
  return value === '' || value === '-' ? null : value;
}
