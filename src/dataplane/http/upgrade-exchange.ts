import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FlowEnd } from '../events.ts';
import { NodeRelay } from '../portable/node-relay.ts';
import { headBytes } from './answer.ts';
import type { ClientStream } from './client-stream.ts';
import {
  informationalFields,
  pairsOf,
  requestFields,
  responseFields,
  switchingFields,
} from './forwarded-fields.ts';
import type { HostFlow } from './host-flow.ts';
import type { HttpWorld } from './http-world.ts';
import { failureOf, type UpstreamFailure } from './upstream-failure.ts';
import { sendHead } from './upstream-request.ts';

export interface UpgradeOptions {
  readonly request: IncomingMessage;
  /** What the client has sent behind the request. */
  readonly head: Uint8Array;
  readonly stream: ClientStream;
  readonly host: HostFlow;
  readonly path: string;
  readonly authority: string;
  readonly world: HttpWorld;
  /** The server has agreed: from now on the relay has the client's connection. */
  readonly switched: (relay: NodeRelay) => void;
  /** The relay has ended. */
  readonly ended: (end: FlowEnd) => void;
  /** See ExchangeOptions. */
  readonly failed: (failure: UpstreamFailure) => void;
  readonly broken: () => void;
}

/**
 * Forwards a request to change the protocol. When the server agrees both sides are relayed unread, to that one host;
 * when it does not, its answer is passed on and the connection ends, because nobody reads requests from it any more.
 */
export class UpgradeExchange {
  readonly #options: UpgradeOptions;
  #abort: () => void = () => {};
  #isOver = false;
  hasAnswered = false;

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  start(): void {
    const { request, stream, host, path, authority } = this.#options;
    const headers = pairsOf(request.rawHeaders);
    const sent = sendHead(host.upstream, {
      method: request.method ?? '',
      path,
      fields: requestFields({ headers, authority, isChunked: false, upgrades: true }),
    });
    this.#abort = () => sent.destroy();
    sent.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      if (this.#isOver || statusCode === 100) return;
      stream.write(headBytes(statusCode, statusMessage, informationalFields(pairsOf(rawHeaders))));
    });
    sent.on('upgrade', (answer, socket, head) => {
      if (this.#isOver) return;
      const upstream = host.upstream.release();
      if (upstream !== null) this.#switch(answer, upstream, head);
      else socket.destroy();
    });
    sent.on('response', answer => this.#answer(answer));
    sent.on('error', error => this.#fail(failureOf(error)));
    sent.end();
  }

  /** Stops at once; nothing is called any more. */
  abort(): void {
    this.#isOver = true;
    this.#abort();
  }

  #switch(answer: IncomingMessage, upstream: Socket, upstreamHead: Uint8Array): void {
    const { stream, host, world, switched, ended } = this.#options;
    this.hasAnswered = true;
    this.#abort = () => upstream.destroy();
    upstream.allowHalfOpen = true;
    upstream.pause();
    const fields = switchingFields(pairsOf(answer.rawHeaders));
    stream.write(Buffer.concat([headBytes(101, answer.statusMessage ?? '', fields), upstreamHead]), () => {
      if (this.#isOver || stream.destroyed) return;
      const { socket, unread } = stream.release();
      const relay = new NodeRelay({
        client: socket,
        upstream,
        clientEnded: socket.readableEnded,
        head: Buffer.concat([this.#options.head, unread]),
        watch: null,
        idleTimeoutMs: world.settings.idleTimeoutMs,
        halfClosedTimeoutMs: world.settings.halfClosedTimeoutMs,
        moved: (bytesOut, bytesIn) => {
          host.movedRaw(bytesOut, bytesIn);
          world.moved(bytesOut, bytesIn);
        },
        done: ended,
      });
      switched(relay);
      relay.start();
    });
  }

  /** The server stays with HTTP. Without chunks the end of the connection is the end of the body. */
  #answer(answer: IncomingMessage): void {
    if (this.#isOver) return;
    const { stream, host } = this.#options;
    const status = answer.statusCode ?? 0;
    if (status < 200) return this.#fail({ kind: 'malformed-response', code: 'status' });
    this.hasAnswered = true;
    const headers = pairsOf(answer.rawHeaders);
    const fields = responseFields({ headers, status, isOldClient: true, keepsAlive: false });
    stream.stopReading();
    stream.write(headBytes(status, answer.statusMessage ?? '', fields));
    answer.on('data', () => host.active());
    answer.on('error', () => this.#fail({ kind: 'closed' }));
    answer.once('end', () => {
      this.#isOver = true;
      stream.hangUp(new Uint8Array(0));
    });
    answer.pipe(stream, { end: false });
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    const { failed, broken } = this.#options;
    this.abort();
    if (this.hasAnswered) broken();
    else failed(failure);
  }
}
