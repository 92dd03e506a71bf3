import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CloseEvent, DecisionEvent } from '../../src/dataplane/events.ts';
import { FlowLines } from '../../src/observe/flow-lines.ts';
import { LineChunks, type Lines, releaseLines } from '../../src/observe/line-chunks.ts';
import type { LogFormat } from '../../src/observe/log.ts';
import { bytesIn, close, decision, type FlowEvent, linesIn } from './support.ts';

const GATEWAY = 'nv-transit-egress';
const FORMATS: readonly LogFormat[] = ['json', 'text'];

function linesOf(format: LogFormat, gateway = GATEWAY) {
  const lines = new FlowLines({ format, gateway });
  return { lines, take: () => linesIn(bytesIn(lines.take().lines)) };
}

const anything = fc.string({ unit: 'binary', minLength: 1 });

describe('as JSON', () => {
  test('a decision is this line, to the letter', () => {
    const { lines, take } = linesOf('json');
    lines.decided(decision(), 0);
    expect(take()).toEqual([
      '{"level":"info","time":"2026-11-21T01:34:58.901Z","event":"decision","gateway":"nv-transit-egress","flow":"k3f9","listener":"gw","src_ip":"10.12.4.21","src_port":40312,"dst_ip":"54.152.28.6","dst_port":443,"hostname":"registry-1.docker.io","protocol":"tls","state":"NO_MATCH","action":"would-deny","reason":"not_allowed","rule":null,"msg":"Gateway=nv-transit-egress S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io state=NO_MATCH drop_reason=NOT_ALLOWED"}\n',
    ]);
  });

  test('a close carries the identity, the bytes, the time and the end', () => {
    const { lines, take } = linesOf('json');
    lines.closed(close({ durationMs: 1_099.4 }), 0);
    expect(take()).toEqual([
      '{"level":"info","time":"2026-11-21T01:35:00.000Z","event":"close","gateway":"nv-transit-egress","flow":"k3f9","listener":"gw","src_ip":"10.12.4.21","src_port":40312,"dst_ip":"54.152.28.6","dst_port":443,"hostname":"registry-1.docker.io","protocol":"tls","bytes_out":1200,"bytes_in":34000,"duration_ms":1099,"end":"client_fin","msg":"Gateway=nv-transit-egress S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io end=client_fin bytes_out=1200 bytes_in=34000 duration_ms=1099"}\n',
    ]);
  });

  test('any text comes back as it went in, on one line', () => {
    fc.assert(
      fc.property(anything, anything, anything, anything, (gateway, listener, hostname, rule) => {
        const { lines, take } = linesOf('json', gateway);
        lines.decided(decision({ listener, hostname, rule, vpcEndpoint: rule }), 0);
        const written = take();
        expect(written).toHaveLength(1);
        expect(JSON.parse(written.join(''))).toMatchObject({
          gateway,
          listener,
          hostname,
          rule,
          vpc_endpoint: rule,
          state: 'NO_MATCH',
        });
      }),
      { examples: [['é', '"', 'a\n{"state":"MATCHED"}', '\ud800\\']] },
    );
  });

  test('what is not known is null', () => {
    const { lines, take } = linesOf('json');
    lines.closed(close({ dstIp: null, hostname: null }), 0);
    expect(JSON.parse(take().join(''))).toMatchObject({ dst_ip: null, hostname: null });
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
      'a VPC endpoint follows the rule',
      { state: 'MATCHED', action: 'allow', reason: null, rule: 'registries', vpcEndpoint: 'vpce-0a b' },
      'D_IP=54.152.28.6 hostname=registry-1.docker.io state=MATCHED Rule=registries vpc_endpoint=vpce-0a\\x20b',
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
    const { lines, take } = linesOf('text');
    lines.decided(decision(overrides), 0);
    expect(take()).toEqual([`${opening} ${rest}\n`]);
  });

  test('a close says how the flow ended, and no state', () => {
    const { lines, take } = linesOf('text');
    lines.closed(close(), 0);
    expect(take()).toEqual([
      '2026-11-21T01:35:00.000Z info Gateway=nv-transit-egress S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io end=client_fin bytes_out=1200 bytes_in=34000 duration_ms=1099\n',
    ]);
  });

  test('no string anywhere forges a field or a line', () => {
    fc.assert(
      fc.property(
        anything,
        anything,
        anything,
        anything,
        anything,
        (gateway, hostname, dstIp, srcIp, rule) => {
          const { lines, take } = linesOf('text', gateway);
          lines.decided(decision({ hostname, dstIp, srcIp, rule }), 0);
          const written = take();
          expect(written).toHaveLength(1);
          expect(written[0]).toMatch(/^[ -~]+\n$/);
          const fields = (written[0] ?? '').trimEnd().split(' ').slice(2);
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
        },
      ),
      { examples: [['gw\n', 'a\nGateway=x', ' state=MATCHED', '"', 'ok Rule=x']] },
    );
  });
});

describe.each(FORMATS)('as %s', format => {
  test('lines are printable ASCII, whatever the gateway and the rule are called', () => {
    fc.assert(
      fc.property(anything, anything, (gateway, rule) => {
        const { lines, take } = linesOf(format, gateway);
        lines.decided(decision({ rule }), 0);
        lines.closed(close({ hostname: rule }), 0);
        for (const line of take()) expect(line).toMatch(/^[ -~]+\n$/);
      }),
      { examples: [['Zürich-🛡', 'правило']] },
    );
  });

  test('a time is its own, in whatever order times come', () => {
    const times = fc.array(fc.integer({ min: 0, max: Date.UTC(2100, 0) }), { minLength: 1 });
    const near = times.map(([first = 0, ...rest]) => [first, ...rest.map(time => first + (time % 3_000))]);
    fc.assert(
      fc.property(fc.oneof(times, near), timesMs => {
        const { lines, take } = linesOf(format);
        for (const timeMs of timesMs) lines.decided(decision({ timeMs }), 0);
        const said = take().map(line => line.match(/\d+-\d\d-\d\dT[\d:.]+Z/)?.[0]);
        expect(said).toEqual(timesMs.map(timeMs => new Date(timeMs).toISOString()));
      }),
    );
  });

  test('more lines than the buffer was made for are all there, in order', () => {
    const { lines, take } = linesOf(format);
    const hostnames = Array.from({ length: 2_000 }, (_, i) => `n${i}.example`);
    for (const hostname of hostnames) lines.decided(decision({ hostname }), 0);
    expect(take().map(line => line.match(/hostname=(\S+)/)?.[1])).toEqual(hostnames);
  });

  test('a line longer than twice the buffer is whole', () => {
    const { lines, take } = linesOf(format);
    const rule = 'x'.repeat(300_000);
    lines.decided(decision(), 0);
    lines.decided(decision({ rule }), 0);
    lines.decided(decision(), 0);
    const written = take();
    expect(written).toHaveLength(3);
    expect(written[1]).toContain(`Rule=${rule}`);
    expect(written[2]).toBe(written[0]);
  });

  test('it is full before its memory is, and no more once the lines are taken', () => {
    const { lines } = linesOf(format);
    let said = 0;
    expect(lines.isFull).toBe(false);
    for (; !lines.isFull && said < 10_000; said++) lines.decided(decision(), 0);
    expect(lines.isFull).toBe(true);
    const taken = lines.take().lines;
    expect(taken).toHaveLength(1);
    expect(linesIn(bytesIn(taken))).toHaveLength(said);
    expect(lines.isFull).toBe(false);
  });

  test('what was taken is not taken again, and later lines leave it alone', () => {
    const { lines } = linesOf(format);
    lines.decided(decision({ hostname: 'a.example' }), 0);
    const taken = lines.take().lines;
    const before = linesIn(bytesIn(taken));
    expect(lines.take().lines).toEqual([]);
    lines.decided(decision({ hostname: 'b.example' }), 0);
    expect(linesIn(bytesIn(taken))).toEqual(before);
  });

  test('memory that the reader gave back is used again', () => {
    const { lines } = linesOf(format);
    const seen = new Set<SharedArrayBuffer>();
    for (let i = 0; i < 100; i++) {
      lines.decided(decision(), 0);
      for (const chunk of lines.take().lines) {
        seen.add(chunk.memory);
        releaseLines(chunk);
      }
    }
    expect(seen.size).toBe(1);
  });

  test('while the reader keeps all memory, lines are lost and counted; afterwards they are written again', () => {
    const lines = new FlowLines({ format, gateway: GATEWAY }, new LineChunks(4 * 1024 * 1024));
    let kept: readonly Lines[] = [];
    let lost = 0;
    const said = 5_000;
    for (let i = 0; i < said; i++) {
      lines.decided(decision(), 0);
      if (i % 50 !== 0) continue;
      const report = lines.take();
      kept = [...kept, ...report.lines];
      lost += report.lost;
    }
    const last = lines.take();
    expect(linesIn(bytesIn([...kept, ...last.lines])).length + lost + last.lost).toBe(said);
    expect(lost).toBeGreaterThan(0);
    for (const chunk of kept) releaseLines(chunk);
    lines.decided(decision(), 0);
    expect(lines.take()).toMatchObject({ lines: [{ length: expect.any(Number) }], lost: 0 });
  });

  test('a line that is longer than the usual memory gets memory of its own', () => {
    const { lines, take } = linesOf(format);
    lines.decided(decision(), 0);
    lines.decided(decision({ rule: 'x'.repeat(100_000) }), 0);
    lines.decided(decision(), 0);
    expect(take().map(line => line.length > 100_000)).toEqual([false, true, false]);
  });
});

describe.each(FORMATS)('what was written of flows before, as %s', format => {
  const few = <T>(...values: readonly T[]) => fc.constantFrom(...values);
  const identity = {
    listener: few('gw', 'proxy'),
    srcIp: few('10.0.0.1', '10.0.0.2'),
    dstIp: few('192.0.2.1', '192.0.2.2', null),
    dstPort: few(443, 8443),
    hostname: few('a.example', 'b.example', 'c\n"d', null),
    protocol: few('tls', 'http', 'tcp'),
  } as const;
  const decisions = fc.record({
    ...identity,
    state: few('MATCHED', 'NO_MATCH', 'DENIED'),
    action: few('allow', 'deny'),
    reason: few('not_allowed', 'denied_by_rule', null),
    rule: few('one', 'two "three"', null),
    detail: few('server-name-count', null),
    vpcEndpoint: few('vpce-0a', null),
    ech: fc.boolean(),
    dstMismatch: fc.boolean(),
  } as const);
  const closes = fc.record({ ...identity, end: few('client_fin', 'server_reset') } as const);

  test('changes no line', () => {
    const event = fc.oneof(
      decisions.map(overrides => decision(overrides as Partial<DecisionEvent>)),
      closes.map(overrides => close(overrides as Partial<CloseEvent>)),
    );
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 5, maxLength: 60 }),
        fc.nat({ max: 1 }),
        (events, suppressed) => {
          const write = (lines: FlowLines, one: FlowEvent) =>
            'end' in one ? lines.closed(one, suppressed) : lines.decided(one, suppressed);
          const { lines, take } = linesOf(format);
          for (const one of events) write(lines, one);
          const alone = events.flatMap(one => {
            const fresh = linesOf(format);
            write(fresh.lines, one);
            return fresh.take();
          });
          expect(take()).toEqual(alone);
        },
      ),
    );
  });

  test('is forgotten when very many destinations come in between', () => {
    const { lines, take } = linesOf(format);
    const hosts = [...Array(1_000).keys(), ...Array(1_000).keys()].map(i => `h${i}.example`);
    for (const hostname of hosts) lines.decided(decision({ hostname }), 0);
    expect(take().map(line => /hostname=(\S+)/.exec(line)?.[1])).toEqual(hosts);
  });
});

describe('what exactly is malformed', () => {
  const linesOf = (detail: string | null) => {
    const lines = new FlowLines({ format: 'json', gateway: 'gw' });
    lines.decided(decision({ reason: 'malformed_hello', detail }), 0);
    return Buffer.from(bytesIn(lines.take().lines)).toString();
  };

  test('stands in the record', () => {
    expect(JSON.parse(linesOf('server-name-count'))).toMatchObject({ detail: 'server-name-count' });
  });

  test('is no field where nothing is', () => {
    expect(JSON.parse(linesOf(null))).not.toHaveProperty('detail');
  });
});
