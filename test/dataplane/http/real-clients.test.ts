import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasCommand, runCommand } from '../../support/command.ts';
import { Scope } from '../../support/scope.ts';
import { echo } from './mixed-load.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const CURL = ['--silent', '--show-error', '--max-time', '20'];
const isCurlMissing = !hasCommand('curl');
const isPythonMissing = !hasCommand('python3');

const scope = new Scope();
let transparent: HttpRig;
let explicit: HttpRig;
const hosts: (string | undefined)[] = [];

beforeAll(async () => {
  const site = await Site.listen((request, response) => {
    hosts.push(request.headers.host);
    return echo(request, response);
  });
  scope.defer(() => site.close());
  transparent = await HttpRig.listen({ servers: { '*': site.port } });
  scope.defer(() => transparent.close());
  explicit = await HttpRig.listen({ listener: 'explicit', servers: { '*': site.port } });
  scope.defer(() => explicit.close());
});
afterAll(() => scope.close());

describe.skipIf(isCurlMissing)(`curl${isCurlMissing ? ' (skipped: not installed)' : ''}`, () => {
  const large = 'x'.repeat(300_000);

  /** Options that send curl on its way: past its own resolver to the rig, or by proxy. */
  const ways: [string, () => string[]][] = [
    ['on its way', () => ['--connect-to', `::127.0.0.1:${transparent.port}`]],
    ['by proxy', () => ['--proxy', `http://127.0.0.1:${explicit.port}`]],
  ];

  describe.each(ways)('%s', (_way, route) => {
    const curl = (args: string[], input = '') =>
      runCommand('curl', [...CURL, ...route(), ...args], { input });

    it('keeps a connection for several requests to several hosts', async () => {
      const urls = ['allowed.example/1', 'other.example/2', 'allowed.example/3'].map(
        path => `http://${path}`,
      );
      const { code, stdout } = await curl(['--write-out', '%{http_code} ', ...urls]);
      expect([code, stdout]).toEqual([0, '200 200 200 ']);
    });

    it.each([
      ['a body by length', ['--data-binary', '@-'], large],
      ['a body in chunks', ['--upload-file', '-'], large],
      ['a body after an expectation', ['--header', 'Expect: 100-continue', '--data-binary', '@-'], large],
      ['an old protocol', ['--http1.0', '--data-binary', '@-'], 'small'],
      ['no body', ['--request', 'POST'], ''],
    ])('sends %s', async (_what, args, body) => {
      const { code, stdout } = await curl([...args, 'http://allowed.example/'], body);
      expect([code, stdout === body]).toEqual([0, true]);
    });

    it('asks for a head', async () => {
      const { code, stdout } = await curl(['--head', 'http://allowed.example/']);
      expect([code, stdout.split('\r\n')[0]]).toEqual([0, 'HTTP/1.1 200 OK']);
    });

    it('is told of a refusal', async () => {
      const { stdout } = await curl(['--write-out', '%{http_code}', 'http://evil.example/']);
      expect(stdout).toMatch(/^gw-1 refused evil\.example:80: not_allowed .*\n403$/);
    });

    it('is told of a refusal of an upload', async () => {
      const args = ['--write-out', '%{http_code}', '--output', '/dev/null', '--data-binary', '@-'];
      const { stdout } = await curl([...args, 'http://evil.example/'], 'x'.repeat(5_000_000));
      expect(stdout).toBe('403');
    });
  });
});

const PYTHON = `
import http.client, sys
c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=20)
for i in range(200):
    host = ['allowed.example', 'other.example'][i % 2]
    headers = {'Host': host, 'X-Id': str(i)}
    body = b'p' * (i * 31)
    if i % 4 == 0:
        c.request('GET', '/', headers=headers)
        body = b''
    elif i % 4 == 1:
        c.request('POST', '/', body=iter([body[:100], body[100:]]), headers=headers, encode_chunked=True)
    else:
        c.request('PUT', '/', body=body, headers=headers)
    r = c.getresponse()
    got = r.read()
    assert (r.status, r.headers['x-id'], r.headers['x-host'], got) == (200, str(i), host, body), (i, r.status, got[:200])
c.request('GET', '/', headers={'Host': 'evil.example'})
r = c.getresponse()
assert r.status == 403 and b'evil.example' in r.read()
c.request('GET', '/', headers={'Host': 'allowed.example', 'X-Id': '1'})
assert c.getresponse().status == 200
print('fine')
`;

describe.skipIf(isPythonMissing)(`python${isPythonMissing ? ' (skipped: not installed)' : ''}`, () => {
  it('keeps one connection for requests of all kinds, and a refusal ends it', async () => {
    const { stdout, stderr } = await runCommand('python3', ['-c', PYTHON, String(transparent.port)]);
    expect([stdout, stderr]).toEqual(['fine\n', '']);
  });
});

describe('all of them', () => {
  it('reached allowed hosts only', () => {
    expect(hosts.filter(host => host !== 'allowed.example' && host !== 'other.example')).toEqual([]);
  });
});
