import { connect } from 'node:net';
import { benchAnswer, benchHello, connectRequest, HEAD_END } from '../load/conversation.ts';
import type { Target } from '../load/orders.ts';

const TIMEOUT_MS = 1_000;
const ANSWER_BYTES = benchAnswer().length;

/** Sends one short flow and says whether it was answered. */
export function isAnswered({ hosts, port, connectTo }: Target): Promise<boolean> {
  return new Promise(resolve => {
    let received = Buffer.alloc(0);
    let isTunnelOpen = connectTo === null;
    const socket = connect(port, hosts[0]);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
    socket.write(connectTo === null ? benchHello() : connectRequest(connectTo));
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf(HEAD_END);
      if (!isTunnelOpen && end >= 0) {
        isTunnelOpen = true;
        received = received.subarray(end + HEAD_END.length);
        socket.write(benchHello());
      }
      if (isTunnelOpen && received.length >= ANSWER_BYTES) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(isTunnelOpen && received.length >= ANSWER_BYTES));
  });
}
