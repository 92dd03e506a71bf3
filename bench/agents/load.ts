import { ConnectAttempt } from '../../src/dataplane/epoll/connector.ts';
import { loadFfi } from '../../src/dataplane/epoll/libc.ts';
import { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { END_OF_STREAM, FAILED, type Socket } from '../../src/dataplane/epoll/socket.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { benchAnswer, benchCommand, benchHello } from '../hello.ts';

/** One piece of load, as the runner asks for it. */
export type Load =
  /** `flows` short flows, `concurrency` at a time: connect, hello, answer, close. */
  | { readonly kind: 'short'; readonly port: number; readonly flows: number; readonly concurrency: number }
  /** One flow that brings `mib` MiB down. */
  | { readonly kind: 'bulk'; readonly port: number; readonly mib: number };

export interface LoadResult {
  readonly seconds: number;
  readonly flows: number;
  readonly failed: number;
  readonly bytes: number;
  /** Connect to first answer byte, sorted, in microseconds. */
  readonly latenciesUs: number[];
}

const HELLO = benchHello();
const ANSWER_BYTES = benchAnswer().length;
/** Several addresses of the proxy keep the ports in TIME_WAIT apart. */
const PROXY_ADDRESSES = 16;

const loop = new EventLoop(loadFfi());
const load: Load = JSON.parse(process.argv[2] ?? '{}');
const result = { flows: 0, failed: 0, bytes: 0, latenciesUs: [] as number[] };
const target = load.kind === 'short' ? load.flows : 1;
let started = 0;

function startFlow(): void {
  const ip = IpAddress.fromV4(0x7f000001 + (started++ % PROXY_ADDRESSES));
  const startedMs = performance.now();
  const attempt = new ConnectAttempt(loop, ip, load.port, failure => {
    if (failure === null && attempt.socket !== null) converse(attempt.socket, startedMs);
    else finish(false);
  });
}

function converse(socket: Socket, startedMs: number): void {
  const command = load.kind === 'bulk' ? benchCommand(load.mib) : Buffer.alloc(0);
  const expected = ANSWER_BYTES + (load.kind === 'bulk' ? load.mib * 1024 * 1024 : 0);
  let received = 0;
  socket.write(Buffer.concat([HELLO, command]));
  const socketReady = () => {
    while (socket.readable) {
      const count = socket.read();
      if (count === END_OF_STREAM || count === FAILED) {
        socket.close();
        return finish(false);
      }
      if (count > 0 && received === 0) result.latenciesUs.push((performance.now() - startedMs) * 1000);
      if (count > 0) received += count;
      if (received >= expected) {
        result.bytes += received;
        socket.close();
        return finish(true);
      }
    }
  };
  socket.owner = { socketReady };
  socketReady();
}

function finish(ok: boolean): void {
  result.flows++;
  if (!ok) result.failed++;
  if (started < target) startFlow();
}

const begin = performance.now();
for (let i = 0; i < (load.kind === 'short' ? load.concurrency : 1); i++) startFlow();
while (result.flows < target) loop.turn();
const seconds = (performance.now() - begin) / 1000;
result.latenciesUs.sort((a, b) => a - b);
process.send?.({ seconds, ...result } satisfies LoadResult);
