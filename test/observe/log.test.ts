import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLog, type LogFormat, type LogLevel } from '../../src/observe/log.ts';
import { close, decision, MemoryDestination } from './support.ts';

const GATEWAY = 'nv-transit-egress';

function logTo(format: LogFormat, level: LogLevel = 'info') {
  const destination = new MemoryDestination();
  const log = createLog({ level, format, gateway: GATEWAY, destination, now: () => Date.UTC(2026, 10, 21) });
  return { log, lines: destination.lines };
}

describe('as JSON', () => {
  test('a decision is this line, to the letter', () => {
    const { log, lines } = logTo('json');
    log.decided(decision());
    expect(lines).toEqual([
      '{"level":"info","time":"2026-11-21T01:34:58.901Z","event":"decision","gateway":"nv-transit-egress","flow":"k3f9","listener":"gw","src_ip":"10.12.4.21","src_port":40312,"dst_ip":"54.152.28.6","dst_port":443,"hostname":"registry-1.docker.io","protocol":"tls","state":"NO_MATCH","action":"would-deny","reason":"not_allowed","rule":null,"msg":"Gateway=nv-transit-egress S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io state=NO_MATCH drop_reason=NOT_ALLOWED"}\n',
    ]);
  });

  test('a decision that stands for others says how many', () => {
    const { log, lines } = logTo('json');
    log.decided(decision(), 41);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'decision', suppressed: 41 });
  });

  test('a close carries the identity, the bytes, the time and the end', () => {
    const { log, lines } = logTo('json');
    log.closed(close({ durationMs: 1_099.4 }));
    expect(lines).toEqual([
      '{"level":"info","time":"2026-11-21T01:35:00.000Z","event":"close","gateway":"nv-transit-egress","flow":"k3f9","listener":"gw","src_ip":"10.12.4.21","src_port":40312,"dst_ip":"54.152.28.6","dst_port":443,"hostname":"registry-1.docker.io","protocol":"tls","bytes_out":1200,"bytes_in":34000,"duration_ms":1099,"end":"client_fin","msg":"Gateway=nv-transit-egress S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io end=client_fin bytes_out=1200 bytes_in=34000 duration_ms=1099"}\n',
    ]);
  });

  test('a message carries its event, the gateway and its fields', () => {
    const { log, lines } = logTo('json');
    log.warn('the policy was refused', { event: 'reload', errors: 2, files: ['a.yaml', 'b.yaml'] });
    expect(lines).toEqual([
      '{"level":"warn","time":"2026-11-21T00:00:00.000Z","event":"reload","gateway":"nv-transit-egress","errors":2,"files":["a.yaml","b.yaml"],"msg":"the policy was refused"}\n',
    ]);
  });

  test('any text off the wire comes back as it went in, on one line', () => {
    const { log, lines } = logTo('json');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (hostname, rule) => {
        lines.length = 0;
        log.decided(decision({ hostname, rule }));
        expect(lines.join('').indexOf('\n')).toBe(lines.join('').length - 1);
        expect(JSON.parse(lines.join(''))).toMatchObject({ hostname, rule, state: 'NO_MATCH' });
      }),
    );
  });
});

describe('as text', () => {
  const opening = '2026-11-21T01:34:58.901Z info Gateway=nv-transit-egress S_IP=10.12.4.21';
  const cases: readonly [string, Parameters<typeof decision>[0], string][] = [
    [
      'a denial says its reason',
      {},
      'D_IP=54.152.28.6 hostname=registry-1.docker.io state=NO_MATCH drop_reason=NOT_ALLOWED',
    ],
    [
      'an allowed flow says its rule',
      { state: 'MATCHED', action: 'allow', reason: null, rule: 'registries' },
      'D_IP=54.152.28.6 hostname=registry-1.docker.io state=MATCHED Rule=registries',
    ],
    [
      'a denying rule follows the reason',
      { state: 'DENIED', action: 'deny', reason: 'rule_denied', rule: 'no-paste' },
      'D_IP=54.152.28.6 hostname=registry-1.docker.io state=DENIED drop_reason=RULE_DENIED Rule=no-paste',
    ],
    [
      'an address and a name that are not known are dashes',
      { dstIp: null, hostname: null, reason: 'no_hostname' },
      'D_IP=- hostname=- state=NO_MATCH drop_reason=NO_HOSTNAME',
    ],
  ];
  test.each(cases)('%s', (_sentence, overrides, rest) => {
    const { log, lines } = logTo('text');
    log.decided(decision(overrides));
    expect(lines).toEqual([`${opening} ${rest}\n`]);
  });

  test('a message is time, level, event, text and fields', () => {
    const { log, lines } = logTo('text');
    log.info('listening on all', { event: 'ready', listeners: 3, note: 'a b', files: ['x'] });
    expect(lines).toEqual([
      '2026-11-21T00:00:00.000Z info ready listening on all listeners=3 note=a\\x20b files=[\\x22x\\x22]\n',
    ]);
  });

  test('no string anywhere forges a field or a line', () => {
    const { log, lines } = logTo('text');
    const anything = fc.string({ unit: 'binary', minLength: 1 });
    fc.assert(
      fc.property(anything, anything, anything, anything, (hostname, dstIp, srcIp, rule) => {
        lines.length = 0;
        log.decided(decision({ hostname, dstIp, srcIp, rule }));
        expect(lines).toHaveLength(1);
        expect(lines[0]).toMatch(/^[ -~]+\n$/);
        const fields = (lines[0] ?? '').trimEnd().split(' ').slice(2);
        expect(fields.map(field => field.split('=').length)).toEqual([2, 2, 2, 2, 2, 2, 2]);
        expect(fields.map(field => field.split('=')[0])).toEqual([
          'Gateway',
          'S_IP',
          'D_IP',
          'hostname',
          'state',
          'drop_reason',
          'Rule',
        ]);
        expect(fields[4]).toBe('state=NO_MATCH');
      }),
      { examples: [['a\nGateway=x', ' state=MATCHED', '"', 'ok Rule=x']] },
    );
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
    log.decided(decision());
    log.closed(close());
    expect(lines.map(line => JSON.parse(line).event)).toEqual(expected);
  });
});
