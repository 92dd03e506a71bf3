import fc from 'fast-check';
import { text } from '../../support/client-hello.ts';
import { mutated } from './mutate.ts';
import { names } from './names.ts';
import { seedsFrom } from './seeds.ts';

/** Hosts with ports, and things that are none. */
const authorities: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('allowed.example', 'Allowed.Example', 'denied.example') },
      { weight: 2, arbitrary: names },
      {
        weight: 1,
        arbitrary: fc.constantFrom('[::1]', '[fe80::1%25eth0]', '198.51.100.7', 'user@allowed.example'),
      },
    ),
    fc.constantFrom('', '', '', ':80', ':443', ':', ':0', ':080', ':65536', ':80:80'),
  )
  .map(([host, port]) => host + port);

const methods = fc.constantFrom(
  'GET',
  'GET',
  'POST',
  'OPTIONS',
  'HEAD',
  'CONNECT',
  'CONNECT',
  'PRI',
  'get',
  'G(T',
);
const targets = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '/a?b=c', '*', '', '//x', '/%00', '/a b') },
  { weight: 3, arbitrary: authorities },
  { weight: 3, arbitrary: authorities.map(authority => `http://${authority}/p`) },
  { weight: 1, arbitrary: authorities.map(authority => `HTTPS://${authority}`) },
);

const fieldLine = fc.oneof(
  { weight: 5, arbitrary: authorities.map(authority => `Host: ${authority}`) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      'Content-Length: 0',
      'Content-Length: 3',
      'Content-Length: +3',
      'content-length: 3, 3',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: chunked, identity',
      'transfer-encoding:\tchunked',
      'Connection: close',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Upgrade: h2c',
      'X: y',
      'X:',
      'X: \u00ff',
      ' folded: x',
      'Host : allowed.example',
      'X-Host: denied.example',
      'no colon',
    ),
  },
);
const lineEnds = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\n\r\n');

const built = fc
  .record({
    method: methods,
    gap: fc.constantFrom(' ', ' ', ' ', ' ', '  ', '\t'),
    target: targets,
    version: fc.constantFrom(
      'HTTP/1.1',
      'HTTP/1.1',
      'HTTP/1.1',
      'HTTP/1.0',
      'HTTP/2.0',
      'http/1.1',
      'HTTP/1.1 ',
    ),
    host: fc.option(authorities, { freq: 6 }),
    fields: fc.array(fieldLine, { maxLength: 3 }),
    oddEnd: lineEnds,
    oddAt: fc.nat(12),
    body: fc.constantFrom('', '', 'abc', '3\r\nabc\r\n0\r\n\r\n'),
  })
  .map(({ method, gap, target, version, host, fields, oddEnd, oddAt, body }) => {
    const lines = [
      `${method}${gap}${target} ${version}`,
      ...(host === null ? [] : [`Host: ${host}`]),
      ...fields,
      '',
    ];
    return text(lines.map((line, i) => line + (i === oddAt ? oddEnd : '\r\n')).join('') + body);
  });

/** A CONNECT as clients write it, with a Host line that repeats the target or nearly. */
const connects = fc
  .tuple(authorities, fc.option(authorities, { freq: 3 }))
  .map(([target, other]) => text(`CONNECT ${target} HTTP/1.1\r\nHost: ${other ?? target}\r\n\r\n`));

/** An ordinary request to some host. */
const plain = authorities.map(host => text(`GET /a HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\n\r\n`));

/** Openings of flows that are HTTP requests, CONNECT among them, or nearly. */
export function requestStreams(): fc.Arbitrary<Uint8Array> {
  const seeds = seedsFrom('http.jsonl', 'adversarial_http.jsonl');
  return fc.oneof(
    { weight: 2, arbitrary: plain },
    { weight: 2, arbitrary: connects },
    { weight: 3, arbitrary: built },
    { weight: 3, arbitrary: mutated(seeds) },
    { weight: 2, arbitrary: mutated(fc.oneof(plain, connects), 2) },
    { weight: 1, arbitrary: mutated(built, 3) },
  );
}
