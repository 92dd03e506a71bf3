import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decision } from '../observe/support.ts';
import { readLog, written } from './support.ts';

const [LINE = ''] = written('json', decision());

test('no bytes at all make it fail, however they are cut', () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes)),
    fc
      .constantFrom(
        LINE,
        '{"',
        '{"log":"',
        '"',
        '\\',
        '\n',
        '{"message":',
        '[[[[',
        'S_IP=',
        ' state=',
        'decision',
      )
      .map(text => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), fc.integer({ min: 1, max: 64 }), (parts, chunkBytes) => {
      const log = Buffer.concat(parts);
      const whole = readLog(log);
      expect(readLog(log, { chunkBytes })).toEqual(whole);
      expect(whole.flows.length).toBe(whole.summary.records);
      expect(whole.summary.lines).toBe(
        log.length === 0 ? 0 : log.toString('latin1').replace(/\n$/, '').split('\n').length,
      );
    }),
    { numRuns: 500 },
  );
});

test('a line without an end is given up, and the next one read', () => {
  const { flows, summary } = readLog(`${'x'.repeat(3 * 1024 * 1024)}\n${LINE}`, { chunkBytes: 64 * 1024 });
  expect([flows.length, summary.lines, summary.faults]).toEqual([
    1,
    2,
    [{ line: 1, why: 'a line of more than 512 KiB' }],
  ]);
});

test.each<[string, string]>([
  ['deep JSON', `{"log":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['JSON of its own wrappings', nested(200)],
  ['many keys', `{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":1`).join(',')}}`],
  ['fields without end', `S_IP=1 ${'state=x '.repeat(50_000)}`],
  ['quotes without end', ' a="'.repeat(100_000)],
  ['braces without end', '{"'.repeat(200_000)],
  ['a prototype', '{"__proto__":{"event":"decision"},"constructor":"x"}'],
])('%s costs no more than its bytes', (_, line) => {
  expect(readLog(`${line}\n${LINE}`).flows).toHaveLength(1);
});

test('letters beyond ASCII come through as they are written, cut anywhere', () => {
  const line = LINE.replace('registry-1.docker.io', 'bücher-\u{1f600}.example');
  expect(readLog(line, { chunkBytes: 1 }).flows.map(({ hostname }) => hostname)).toEqual([
    'bücher-\u{1f600}.example',
  ]);
});

function nested(depth: number): string {
  let text = '{"event":"decision"}';
  for (let i = 0; i < depth && text.length < 200_000; i++) text = JSON.stringify({ log: text });
  return text;
}
