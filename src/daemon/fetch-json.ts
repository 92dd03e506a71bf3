import { Agent, get } from 'node:http';

export type JsonAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/** The metadata of a task with ten containers takes some 10 KB. */
const MAX_BYTES = 512 * 1024;

/**
 * Asks a plain HTTP server for JSON: never through a proxy, whatever the environment says, and never elsewhere by a
 * redirect. Never rejects; `signal` ends it.
 */
export function fetchJson(url: URL, signal: AbortSignal): Promise<JsonAnswer> {
  return new Promise(resolve => {
    const fail = (reason: string) => resolve({ ok: false, reason });
    // An agent of its own: the global one follows the proxy variables where NODE_USE_ENV_PROXY is set.
    const request = get(url, { agent: new Agent(), signal }, response => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) {
          fail(`the answer is larger than ${MAX_BYTES} bytes`);
          request.destroy();
        }
        chunks.push(chunk);
      });
      response.on('error', error => fail(describe(error)));
      response.on('end', () => {
        if (response.statusCode !== 200) return fail(`the answer is ${response.statusCode}`);
        try {
          resolve({ ok: true, value: JSON.parse(Buffer.concat(chunks).toString()) });
        } catch {
          fail('the answer is no JSON');
        }
      });
    });
    request.on('error', error => fail(describe(error)));
  });
}

function describe(error: Error): string {
  if (error.name === 'AbortError') return 'no answer in time';
  return 'code' in error && typeof error.code === 'string' ? `no answer: ${error.code}` : 'no answer';
}
