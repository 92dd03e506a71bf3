import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENT_HELLO_FAULTS, type ClientHelloResult, parseClientHello } from '../../src/tls-sni/index.ts';
import { buildClientHello, buildHandshake, concat, toRecords } from '../support/client-hello.ts';
import { feed } from './feed.ts';

const label = fc.string({ unit: fc.constantFrom('a', 'B', '7', '_'), minLength: 1, maxLength: 20 });
const serverName = fc.array(label, { maxLength: 4 }).map(labels => [...labels, 'example'].join('.'));
const options = fc.record({
  serverName: fc.option(serverName),
  alpn: fc.array(fc.string({ unit: fc.constantFrom('h', '2', '/'), minLength: 1, maxLength: 9 }), {
    maxLength: 4,
  }),
  versions: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 }),
  ech: fc.boolean(),
  sessionId: fc.uint8Array({ maxLength: 32 }),
});
const cuts = fc.array(fc.nat(400), { maxLength: 30 });

describe('any hello', () => {
  it('comes out as it went in, whatever the records and segments', () => {
    fc.assert(
      fc.property(options, cuts, cuts, (fields, recordCuts, segmentCuts) => {
        const stream = toRecords(buildHandshake(fields), recordCuts);
        const stops = segmentCuts.filter(at => at < stream.length).sort((a, b) => a - b);
        const { serverName, alpn, versions, ech } = fields;
        const expected = { kind: 'done', serverName, alpn, versions, ech, consumed: stream.length };
        expect(feed(stream, stops)).toMatchObject(expected);
      }),
    );
  });

  it('with one byte changed gives a documented answer and no forged consumption', () => {
    const whole = buildClientHello({ cuts: [50] });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const stream = whole.slice();
        stream[at] = value;
        expectSane(stream, parseClientHello(stream));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('any bytes', () => {
  const plausible = fc
    .tuple(
      fc.constantFrom(20, 21, 22, 23, 24),
      fc.uint8Array({ maxLength: 4 }),
      fc.uint8Array({ maxLength: 200 }),
    )
    .map(([type, length, rest]) => concat(Uint8Array.of(type, 3, 1), length, rest));

  it.each([
    ['at random', fc.uint8Array({ maxLength: 300 })],
    ['behind a record type', plausible],
    [
      'inside a hello',
      fc.uint8Array({ maxLength: 300 }).map(tail => buildClientHello({ extensions: null, tail })),
    ],
    [
      'inside the extensions',
      fc
        .uint8Array({ maxLength: 300 })
        .map(tail => buildClientHello({ extensions: [], extensionsLength: tail.length, tail })),
    ],
  ])('%s give a documented answer, the same in two pieces', (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, fc.nat(300), (stream, cut) => {
        const result = parseClientHello(stream);
        expectSane(stream, result);
        expect(feed(stream, cut < stream.length ? [cut] : [])).toEqual(result);
      }),
      { numRuns: 1_000 },
    );
  });
});

function expectSane(stream: Uint8Array, result: ClientHelloResult): void {
  if (result.kind === 'malformed') expect(CLIENT_HELLO_FAULTS).toHaveProperty(result.reason);
  if (result.kind === 'need-more') expect(result.atLeast).toBeGreaterThan(stream.length);
  if (result.kind === 'done') expect(result.consumed).toBeLessThanOrEqual(stream.length);
}
