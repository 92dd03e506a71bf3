import { Agent, type IncomingMessage, request } from 'node:http';
import { runCommand } from './command.ts';
import { patternOf } from './web-farm.ts';
import { faultOf, type Visit } from './web-visits.ts';

/** How a client gets to the daemon: straight, or with it as its proxy. */
export interface Way {
  readonly port: number;
  readonly isProxy: boolean;
  /** Where the hosts are, for the URLs that a proxy is asked for. */
  readonly farmPort: number;
}

/** Makes all visits, several at a time, over connections that are kept; returns what went wrong. */
export async function visitWithNode(visits: readonly Visit[], way: Way): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const waiting = [...visits];
  const faults: string[] = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const fault = await visitOnce(next, way, agent);
      if (fault !== null) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  agent.destroy();
  return faults;
}

function visitOnce(visit: Visit, { port, isProxy, farmPort }: Way, agent: Agent): Promise<string | null> {
  const authority = isProxy ? `${visit.host}:${farmPort}` : visit.host;
  return new Promise(resolve => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      agent,
      method: visit.method,
      path: isProxy ? `http://${authority}${visit.path}` : visit.path,
      headers: { Host: authority, ...visit.headers },
    });
    outgoing.on('error', error => resolve(`${visit.kind} of ${visit.host}: ${error.message}`));
    outgoing.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', error => resolve(`${visit.kind} of ${visit.host}: ${error.message}`));
      response.on('end', () => resolve(faultOf(visit, response.statusCode, Buffer.concat(chunks))));
    });
    const send = () => outgoing.end(visit.sends > 0 ? patternOf(visit.sends) : undefined);
    if (visit.kind !== 'expect') return send();
    outgoing.once('continue', send);
    outgoing.flushHeaders();
  });
}

/** Makes all visits with one curl, one after the other over as few connections as it needs. `files`: see WebFarm. */
export async function visitWithCurl(
  visits: readonly Visit[],
  { port, isProxy, farmPort }: Way,
  files: string,
): Promise<string[]> {
  const route = isProxy ? `proxy = "http://127.0.0.1:${port}"` : `connect-to = "::127.0.0.1:${port}"`;
  const transfers = visits.map(visit =>
    [
      `url = "http://${visit.host}:${isProxy ? farmPort : 80}${visit.path}"`,
      route,
      'silent',
      'show-error',
      'max-time = 60',
      'output = "/dev/null"',
      'write-out = "%{http_code} %{size_download}\\n"',
      ...(visit.method === 'HEAD' ? ['head'] : []),
      ...(visit.method === 'POST' ? [`data-binary = "@${files}/${visit.sends}"`] : []),
      ...Object.entries(visit.headers).flatMap(([name, value]) =>
        name === 'Content-Length' ? [] : [`header = "${name}: ${value}"`],
      ),
    ].join('\n'),
  );
  const config = transfers.join('\nnext\n');
  const { stdout, stderr } = await runCommand('curl', ['--config', '-'], { input: config });
  const results = stdout.trim().split('\n');
  return visits.flatMap((visit, i) => {
    const [status, down] = (results[i] ?? '').split(' ').map(Number);
    const fault = faultOf(visit, status, down ?? 0);
    return fault === null ? [] : [`${fault}; ${stderr}`];
  });
}

const PYTHON = `
import http.client, json, sys
port, visits = int(sys.argv[1]), json.load(sys.stdin)
pattern = b'abcdefghijklmnopqrstuvwxyz' * 12000
connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
for visit in visits:
    body = pattern[:visit['sends']] if visit['method'] == 'POST' else None
    headers = {**visit['headers'], 'Host': visit['host']}
    chunked = headers.pop('Transfer-Encoding', None) is not None
    if chunked:
        body = iter([body[:100], body[100:]])
        headers['Transfer-Encoding'] = 'chunked'
    connection.request(visit['method'], visit['path'], body=body, headers=headers, encode_chunked=chunked)
    response = connection.getresponse()
    got = response.read()
    answer = visit['answer']
    fine = response.status == visit['status'] and (answer is None or got == pattern[answer['from']:answer['to']])
    if not fine: print(visit, response.status, len(got))
print('done')
`;

/** Makes all visits with Python's http.client over one connection, which a refusal ends. */
export async function visitWithPython(visits: readonly Visit[], { port }: Way): Promise<string[]> {
  const { stdout, stderr } = await runCommand('python3', ['-c', PYTHON, String(port)], {
    input: JSON.stringify(visits),
  });
  const lines = stdout.trim().split('\n');
  return lines.at(-1) === 'done' ? lines.slice(0, -1) : [...lines, stderr];
}
