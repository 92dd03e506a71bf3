import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog, type LogFormat, type LogLevel } from '../../src/observe/log.ts';
import { bytesIn, close, decision, MemoryDestination, reportOf } from './support.ts';

const GATEWAY = 'nv-transit-egress';

function logTo(format: LogFormat, level: LogLevel = 'info') {
  const destination = new MemoryDestination();
  const log = createLog({ level, format, gateway: GATEWAY, destination, now: () => Date.UTC(2026, 10, 21) });
  return { log, destination, lines: destination.lines };
}

describe('as JSON', () => {
  test('a message carries its event, the gateway and its fields', () => {
    const { log, lines } = logTo('json');
    log.warn('the policy was refused', { event: 'reload', errors: 2, files: ['a.yaml', 'b.yaml'] });
    expect(lines).toEqual([
      '{"level":"warn","time":"2026-11-21T00:00:00.000Z","event":"reload","gateway":"nv-transit-egress","errors":2,"files":["a.yaml","b.yaml"],"msg":"the policy was refused"}\n',
    ]);
  });
});

test('lines that were lost are counted, and said when lines are written again', () => {
  const { log, destination, lines } = logTo('json');
  log.lost(3);
  expect(log.dropped).toBe(3);
  destination.tellLost(3);
  expect(lines).toMatchObject([expect.stringContaining('"event":"log_lost"')]);
  expect(lines[0]).toContain('"lines":3');
});

describe('as text', () => {
  test('a message is time, level, event, text and fields', () => {
    const { log, lines } = logTo('text');
    log.info('listening on all', { event: 'ready', listeners: 3, note: 'a b', files: ['x'] });
    expect(lines).toEqual([
      '2026-11-21T00:00:00.000Z info ready listening on all listeners=3 note=a\\x20b files=[\\x22x\\x22]\n',
    ]);
  });

  test('no message forges a line', () => {
    const { log, lines } = logTo('text');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (message, value) => {
        lines.length = 0;
        log.error(message, { event: 'fault', value });
        expect(lines.join('')).toMatch(/^[ -~]+\n$/);
        expect(lines.join('').split('=')).toHaveLength(2);
      }),
    );
  });
});

test('finished lines are passed on as they are', () => {
  const { log, lines } = logTo('json');
  log.writeLines(Buffer.from('one\ntwo\n'));
  expect(lines).toEqual(['one\n', 'two\n']);
});

describe('the level', () => {
  const cases: readonly [LogLevel, readonly string[]][] = [
    ['debug', ['debug', 'info', 'warn', 'error', 'decision', 'close']],
    ['info', ['info', 'warn', 'error', 'decision', 'close']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ];
  test.each(cases)('%s lets %s through', (level, expected) => {
    const { log, lines } = logTo('json', level);
    log.debug('m', { event: 'debug' });
    log.info('m', { event: 'info' });
    log.warn('m', { event: 'warn' });
    log.error('m', { event: 'error' });
    const settings = { format: 'json', gateway: GATEWAY, saysFlows: log.saysFlows, fold: null } as const;
    const records = reportOf(settings, decision(), close());
    log.writeLines(bytesIn(records.lines));
    expect(lines.map(line => JSON.parse(line).event)).toEqual(expected);
  });
});
