import { describe, expect, test } from 'vitest';
import { close, decision } from '../observe/support.ts';
import { readLog, seen, written } from './support.ts';

const [JSON_LINE = ''] = written('json', decision());
const [TEXT_LINE = ''] = written('text', decision());
const OURS = JSON_LINE.trimEnd();
/** Text says neither the port nor what was done. */
const TEXT_FLOW = seen({ action: null });
const FAMILY =
  'Gateway=gw S_IP=10.12.4.21 D_IP=54.152.28.6 hostname=registry-1.docker.io state=NO_MATCH drop_reason=NOT_ALLOWED';

describe('a decision is read from', () => {
  const lines: readonly [string, string, ReturnType<typeof seen>][] = [
    ['our JSON', JSON_LINE, seen()],
    ['our text', TEXT_LINE, TEXT_FLOW],
    ['our JSON with its fields in another order', reordered(OURS), seen()],
    [
      'our JSON with fields of a later version',
      OURS.replace('"listener"', '"zone":{"a":[1]},"listener"'),
      seen(),
    ],
    ['our JSON with white space', JSON.stringify(JSON.parse(OURS), null, 1).replaceAll('\n', ' '), seen()],
    ['our JSON behind the time of a CloudWatch export', `2026-11-21T01:34:58.000Z ${OURS}`, seen()],
    ['our JSON behind the name of a container', `egress-1  | ${OURS}`, seen()],
    ['our JSON as the kubelet writes it', `2026-11-21T01:35:00.123456789Z stdout F ${OURS}`, seen()],
    [
      'Docker json-file',
      wrapped({ log: `${OURS}\n`, stream: 'stdout', time: '2026-11-21T01:35:00.1Z' }),
      seen(),
    ],
    ['a CloudWatch Logs event', wrapped({ timestamp: 1795224898901, message: OURS }), seen()],
    [
      'CloudWatch Logs Insights',
      wrapped({ '@timestamp': '2026-11-21 01:34:58.901', '@message': OURS }),
      seen(),
    ],
    ['FireLens', wrapped({ container_name: 'egress', log: OURS, ecs_cluster: 'c' }), seen()],
    ['FireLens, parsed', wrapped({ ...JSON.parse(OURS), ecs_cluster: 'c' }), seen()],
    ['journald', wrapped({ MESSAGE: OURS, __REALTIME_TIMESTAMP: '1795224898901000' }), seen()],
    ['an event that holds the record as an object', wrapped({ event: JSON.parse(OURS) }), seen()],
    ['FireLens inside of CloudWatch', wrapped({ message: wrapped({ log: OURS }) }), seen()],
    ['our text inside of Docker', wrapped({ log: TEXT_LINE, time: '2020-01-01T00:00:00Z' }), TEXT_FLOW],
    ['the family of text logs', `2026-11-21T01:34:58.901Z ${FAMILY}`, TEXT_FLOW],
    ['one without a time', FAMILY, { ...TEXT_FLOW, timeMs: null }],
    [
      'one whose time only the wrapping has',
      wrapped({ message: FAMILY, timestamp: 1795224898901 }),
      TEXT_FLOW,
    ],
    ['one whose wrapping counts in seconds', wrapped({ log: FAMILY, date: 1795224898.901 }), TEXT_FLOW],
    ['one behind a syslog head', `<134>1 2026-11-21T02:34:58.901+01:00 host app - - - ${FAMILY}`, TEXT_FLOW],
    [
      'one in another order, with keys of its own',
      '2026-11-21T01:34:58.901Z kernel: VPC=x state=NO_MATCH hostname=registry-1.docker.io zone=a D_IP=54.152.28.6 drop_reason=NOT_ALLOWED S_IP=10.12.4.21 n=3',
      TEXT_FLOW,
    ],
    ['one with quotes', `2026-11-21T01:34:58.901Z ${FAMILY.replace(/=(\S+)/g, '="$1"')}`, TEXT_FLOW],
    [
      'one that names the port',
      `2026-11-21T01:34:58.901Z D_PORT=8443 ${FAMILY}`,
      { ...TEXT_FLOW, port: 8443 },
    ],
    [
      'one that says the rule and nothing else of note',
      'S_IP=10.0.0.1 D_IP=- hostname=a.example state=MATCHED Rule=api',
      seen({
        timeMs: null,
        source: '10.0.0.1',
        destination: null,
        hostname: 'a.example',
        state: 'MATCHED',
        action: null,
        reason: null,
        rule: 'api',
      }),
    ],
    [
      'a record of a flow through a VPC endpoint',
      OURS.replace('"msg"', '"vpc_endpoint":"vpce-0a","msg"'),
      seen({ vpcEndpoint: 'vpce-0a' }),
    ],
    [
      'one in text that names it',
      `${TEXT_LINE.trimEnd()} vpc_endpoint=vpce-0a`,
      { ...TEXT_FLOW, vpcEndpoint: 'vpce-0a' },
    ],
    ['a record that stands for more', OURS.replace('"msg"', '"suppressed":41,"msg"'), seen({ flows: 42 })],
    ['one in text that does', `${TEXT_LINE.trimEnd()} suppressed=41`, { ...TEXT_FLOW, flows: 42 }],
    ['a record that tells of ECH', OURS.replace('"msg"', '"ech":true,"msg"'), seen({ ech: true })],
  ];
  test.each(lines)('%s', (_, line, flow) => {
    const { flows, summary } = readLog(`${line.trimEnd()}\n`);
    expect([summary.faults, flows]).toEqual([[], [flow]]);
    // The last line of a file that is being written, and a file from elsewhere.
    expect(readLog(line.trimEnd()).flows).toEqual([flow]);
    expect(readLog(`${line.trimEnd()}\r\n`).flows).toEqual([flow]);
  });
});

/** Anyone who reaches the admin port can have such a line written. */
const AUDIT = `${JSON.stringify({
  level: 'info',
  time: '2026-11-21T01:34:58.901Z',
  event: 'audit',
  gateway: 'g',
  action: `POST /${FAMILY}`,
  claimed_user: FAMILY,
  msg: `POST /\n${FAMILY} refused (cross-origin requests are refused) for somebody at 127.0.0.1:40000`,
})}\n`;

describe('passed over without a word', () => {
  test.each<[string, string]>([
    ['an empty line', '\n \n\r\n'],
    ['our close records', written('json', close()).join('')],
    ['our close records in text', written('text', close()).join('')],
    [
      'our other messages',
      '{"level":"info","time":"x","event":"ready","gateway":"g","msg":"ready: listening"}\n',
    ],
    ['our audit lines, whatever path they quote', AUDIT],
    ['our audit lines in a wrapping', wrapped({ log: AUDIT })],
    ['our other messages in text', '2026-11-21T01:34:58.901Z info ready mode observe mode=observe\n'],
    ['lines of other programs', 'GET /?state=on 200 {"a":\n[1,2]\n"text"\n{ nothing\n17\nnull\n'],
    ['JSON of other programs', '{"event":{"log":{"message":["decision"]}}}\n{"state":"MATCHED"}\n'],
  ])('%s', (_, text) => {
    const { flows, summary } = readLog(text);
    expect([flows, summary.broken]).toEqual([[], 0]);
  });
});

describe('a line that cannot be read is counted, and named with the reason', () => {
  test.each<[string, string, RegExp]>([
    ['cut off', OURS.slice(0, 200), /whole JSON/],
    ['cut off inside a wrapping', wrapped({ log: OURS.slice(0, 200) }), /whole JSON/],
    ['a state of no kind', OURS.replace('"NO_MATCH"', '"PERHAPS"'), /state/],
    ['no source', OURS.replace('"src_ip":"10.12.4.21"', '"src_ip":null'), /src_ip/],
    ['port 0', OURS.replace('"dst_port":443', '"dst_port":0'), /dst_port/],
    ['a port as text', OURS.replace('"dst_port":443', '"dst_port":"443"'), /dst_port/],
    ['a hostname that is no text', OURS.replace('"registry-1.docker.io"', '["a"]'), /hostname/],
    ['a count below zero', OURS.replace('"msg"', '"suppressed":-2,"msg"'), /suppressed/],
    ['a count beyond belief', OURS.replace('"msg"', '"suppressed":1e300,"msg"'), /suppressed/],
    ['text without a source', FAMILY.replace('S_IP=10.12.4.21 ', ''), /S_IP/],
    ['text without a hostname', FAMILY.replace('hostname=registry-1.docker.io ', ''), /hostname/],
    ['text with a state of no kind', FAMILY.replace('NO_MATCH', 'matched'), /state/],
    ['text with a port that is none', `${FAMILY} D_PORT=70000`, /D_PORT/],
    ['text with a count that is none', `${FAMILY} suppressed=x`, /suppressed/],
    ['text in which a name has forged a second state', `${FAMILY} state=MATCHED`, /twice/],
  ])('%s', (_, line, why) => {
    const { flows, summary } = readLog(`${JSON_LINE}${line}\n`);
    expect([flows.length, summary.lines, summary.broken]).toEqual([1, 2, 1]);
    expect(summary.faults).toEqual([{ line: 2, why: expect.stringMatching(why) }]);
  });

  test('only the first few are kept', () => {
    const { summary } = readLog(`${OURS.slice(0, 200)}\n`.repeat(1_000));
    expect([summary.broken, summary.faults.map(({ line }) => line)]).toEqual([1_000, [1, 2, 3, 4, 5]]);
  });
});

test('records that name no port are counted, and take the one given', () => {
  const { flows, summary } = readLog(`${TEXT_LINE}${JSON_LINE}${FAMILY}\n${FAMILY} D_PORT=1\n`, {
    defaultPort: 8443,
  });
  expect(flows.map(({ port }) => port)).toEqual([8443, 443, 8443, 1]);
  expect(summary.portsAssumed).toBe(2);
});

function wrapped(record: object): string {
  return JSON.stringify(record);
}

function reordered(line: string): string {
  return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line)).reverse()));
}
