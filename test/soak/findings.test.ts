import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../bench/arguments.ts';
import { compareFlows } from './compare.ts';
import { LIVES } from './lives.ts';
import { memoryTrend } from './memory.ts';
import { readOptions } from './options.ts';
import { RecordReader } from './records.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-records-'));
afterAll(() => rmSync(directory, { recursive: true }));

const served = LIVES.filter(({ name }) => name === 'served');
const decision = {
  event: 'decision',
  flow: 'f1',
  listener: 'tls',
  hostname: 'served.soak.test',
  protocol: 'tls',
  action: 'allow',
  reason: null,
};
const close = { ...decision, event: 'close', end: 'client_fin', bytes_out: 3, bytes_in: 5 };

async function read(lines: readonly unknown[]): Promise<RecordReader> {
  const path = join(directory, 'log');
  writeFileSync(path, lines.map(line => `${JSON.stringify(line)}\n`).join(''));
  const reader = new RecordReader(path);
  await reader.end();
  return reader;
}

describe('records against what clients did', () => {
  const lived = (count: number) => served.map(life => ({ life, count, received: 0 }));

  it('as many as there were: no difference', async () => {
    const records = await read([decision, close]);
    expect(compareFlows(lived(1), records)).toEqual([]);
    expect(records).toMatchObject({ open: 0, faults: [], total: { flows: 1, bytesOut: 3, bytesIn: 5 } });
  });

  it.each([
    ['one flow too few', 2, close],
    ['another end', 1, { ...close, end: 'drained' }],
  ])('%s: said', async (_what, count, last) => {
    expect(compareFlows(lived(count), await read([decision, last]))).not.toEqual([]);
  });

  it.each([
    ['a close without a decision', [close]],
    ['two closes', [decision, close, close]],
    ['two decisions', [decision, decision, close]],
  ])('%s: said', async (_what, lines) => {
    expect((await read(lines)).faults).toHaveLength(1);
  });

  it('a flow that was never closed stays open', async () => {
    expect((await read([decision])).open).toBe(1);
  });
});

describe('memory', () => {
  const run = (mib: (i: number) => number) =>
    Array.from({ length: 400 }, (_, i) => ({ flows: i * 1_000, mib: mib(i) }));

  it('that swings around a level has no slope', () => {
    expect(Math.abs(memoryTrend(run(i => 100 + (i % 7) * 10)).slope ?? 1)).toBeLessThan(0.01);
  });

  it('that grows by a MiB in a thousand flows has one of a hundred, whatever it swings by', () => {
    expect(memoryTrend(run(i => 100 + i + (i % 7) * 10)).slope).toBeCloseTo(100, -1);
  });

  it('that grows while heaps get their working size has none', () => {
    expect(Math.abs(memoryTrend(run(i => Math.min(i, 100))).slope ?? 1)).toBeLessThan(0.01);
  });

  it('of a short run tells nothing', () => {
    expect(memoryTrend(run(i => i).slice(0, 120)).slope).toBeNull();
  });
});

describe('the arguments', () => {
  it.each([['--flows', '0'], ['--flows', 'many'], ['--dataplane', 'xdp'], ['--nothing']])(
    '%s %s: wrong',
    (...argv) => {
      expect(() => readOptions(argv)).toThrow(UsageError);
    },
  );

  it('have defaults', () => {
    expect(readOptions([])).toMatchObject({
      flows: 100_000,
      seconds: null,
      dataplane: 'epoll',
      report: null,
    });
  });
});
