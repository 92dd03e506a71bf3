import { Agent, type IncomingMessage, type RequestListener, request } from 'node:http';
import { expect } from 'vitest';

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'] as const;
const PIECE = Buffer.alloc(65_536, 'abcdefghijklmnopqrstuvwxyz');

interface MixedRequest {
  readonly id: number;
  readonly method: (typeof METHODS)[number];
  readonly host: string;
  readonly bytes: number;
  readonly chunked: boolean;
}

/** Answers with what came: the body, the host and the request's own number; chunked or by length as the number says. */
export const echo: RequestListener = async (incoming, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const id = Number(incoming.headers['x-id']);
  response.setHeader('X-Id', String(id));
  response.setHeader('X-Host', incoming.headers.host ?? '');
  if (id % 3 === 0) response.setHeader('Content-Length', body.length);
  if (id % 50 === 0) response.setHeader('Connection', 'close');
  response.write(body.subarray(0, body.length >> 1));
  response.end(body.subarray(body.length >> 1));
};

/** A spread of requests that is the same every time. */
function plan(count: number, hosts: readonly string[]): MixedRequest[] {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  return Array.from({ length: count }, (_, id) => {
    const method = METHODS[random(METHODS.length)] ?? 'GET';
    const hasBody = method === 'POST' || method === 'PUT';
    const bytes = hasBody ? random(random(10) === 0 ? 65_536 : 1_000) : 0;
    return { id, method, bytes, host: hosts[random(hosts.length)] ?? '', chunked: random(2) === 0 };
  });
}

/** Sends `count` requests over kept connections, several at a time, and holds every answer against its request. */
export async function sendMixed(
  port: number,
  count: number,
  hosts: readonly string[],
  refused: ReadonlySet<string>,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const waiting = plan(count, hosts);
  const work = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      await send(port, agent, next, refused.has(next.host));
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  agent.destroy();
}

async function send(port: number, agent: Agent, one: MixedRequest, isRefused: boolean): Promise<void> {
  const { id, method, host, bytes, chunked } = one;
  const body = PIECE.subarray(0, bytes);
  const framing = bytes === 0 || chunked ? {} : { 'Content-Length': bytes };
  const answer = await new Promise<{ response: IncomingMessage; body: Buffer }>((resolve, reject) => {
    const outgoing = request(
      { port, agent, method, path: `/${id}`, headers: { Host: host, 'X-Id': id, ...framing } },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => resolve({ response, body: Buffer.concat(chunks) }));
        response.on('error', reject);
      },
    );
    // A refusal may come, and the connection end, while the body is still being sent.
    outgoing.on('error', error => (isRefused ? undefined : reject(error)));
    outgoing.end(bytes === 0 ? undefined : body);
  });
  const { statusCode, headers } = answer.response;
  if (isRefused) {
    expect(statusCode, `${method} ${host}`).toBe(403);
    return;
  }
  expect({ statusCode, id: headers['x-id'], host: headers['x-host'] }).toEqual({
    statusCode: 200,
    id: String(id),
    host,
  });
  const expected = method === 'HEAD' ? 0 : bytes;
  expect(answer.body.length, `${method} ${id} ${chunked}`).toBe(expected);
  expect(answer.body.equals(body.subarray(0, expected))).toBe(true);
}
