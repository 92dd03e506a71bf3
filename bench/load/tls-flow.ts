import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { BENCH_NAME } from './conversation.ts';
import type { Target } from './orders.ts';

export const TLS_REQUEST = Buffer.alloc(64, 0x71);
export const TLS_ANSWER = Buffer.alloc(1024, 0x61);

const TIMEOUT_MS = 10_000;

/**
 * One TLS flow: handshake, request, answer, close. Resolves with the milliseconds that the handshake took. Rejects
 * when anything fails, or when `session` is given and not resumed.
 */
export async function tlsFlow(
  { hosts: [host = ''], port }: Target,
  ca: Buffer,
  session: Buffer | undefined,
): Promise<number> {
  const begunMs = performance.now();
  const socket = open({ host, port, ca, ...(session !== undefined && { session }) });
  await once(socket, 'secureConnect');
  const handshakeMs = performance.now() - begunMs;
  if (socket.isSessionReused() !== (session !== undefined)) {
    throw new Error(session === undefined ? 'a session was resumed' : 'the session was not resumed');
  }
  await exchange(socket);
  return handshakeMs;
}

/** A session to resume. */
export async function tlsSession({ hosts: [host = ''], port }: Target, ca: Buffer): Promise<Buffer> {
  const socket = open({ host, port, ca });
  const ticket = once(socket, 'session');
  await once(socket, 'secureConnect');
  await exchange(socket);
  const [session] = await ticket;
  return session;
}

function open(options: ConnectionOptions): TLSSocket {
  const socket = connect({ ...options, servername: BENCH_NAME, minVersion: 'TLSv1.3' });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('timed out')));
  socket.setNoDelay();
  return socket;
}

async function exchange(socket: TLSSocket): Promise<void> {
  let received = 0;
  socket.on('data', chunk => {
    received += chunk.length;
    if (received >= TLS_ANSWER.length) socket.end();
  });
  socket.write(TLS_REQUEST);
  await once(socket, 'close');
  if (received < TLS_ANSWER.length) throw new Error('the answer was cut');
}
