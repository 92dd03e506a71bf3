import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Offers to change to HTTP/2 with every request, as it does unless told otherwise. */
const JAVA = `
import java.net.*;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

class Client {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    URI uri = URI.create("http://127.0.0.1:" + args[0] + "/");
    for (int i = 0; i < 20; i++) {
      String body = "j".repeat(i * 5000);
      String host = i % 2 == 0 ? "allowed.example" : "other.example";
      HttpRequest.Builder ask = HttpRequest.newBuilder(uri).header("Host", host).header("X-Id", "" + i);
      HttpRequest request = i % 3 == 0 ? ask.GET().build() : ask.POST(BodyPublishers.ofString(body)).build();
      HttpResponse<String> answer = client.send(request, BodyHandlers.ofString());
      String expected = i % 3 == 0 ? "" : body;
      if (answer.statusCode() != 200 || !answer.body().equals(expected)) throw new Error(i + ": " + answer);
      if (!answer.headers().firstValue("x-host").get().equals(host)) throw new Error(i + ": " + answer);
    }
    HttpRequest refused = HttpRequest.newBuilder(uri).header("Host", "evil.example").build();
    System.out.println(client.send(refused, BodyHandlers.ofString()).statusCode());
  }
}
`;

// Not among what CI installs, for its size; http2-offer.test.ts holds what this is about.
if (hasCommand('java')) {
  describe('java', () => {
    it('is served although it offers HTTP/2', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-java-'));
      scope.defer(() => rmSync(directory, { recursive: true }));
      const source = join(directory, 'Client.java');
      writeFileSync(source, JAVA);
      const options = ['-Djdk.httpclient.allowRestrictedHeaders=host', '-XX:TieredStopAtLevel=1'];
      const args = [...options, source, String(transparent.port)];
      expect(await runCommand('java', args)).toMatchObject({ code: 0, stdout: '403\n' });
    });
  });
}

describe('all of them', () => {
  it('reached allowed hosts only', () => {
    expect(hosts.filter(host => host !== 'allowed.example' && host !== 'other.example')).toEqual([]);
  });
});
