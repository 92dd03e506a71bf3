import type { ClientRequest, IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import type { RequestBody } from '../../sniff/http-framing.ts';
import { headBytes } from './answer.ts';
import {
  informationalFields,
  isReadableCoding,
  pairsOf,
  requestFields,
  responseFields,
  trailerFields,
} from './forwarded-fields.ts';
import type { HostFlow } from './host-flow.ts';
import { failureOf, type UpstreamFailure } from './upstream-failure.ts';
import { sendHead } from './upstream-request.ts';

/** More than a server has reason to send before its answer. */
const MAX_INFORMATIONAL = 16;
/** May be sent a second time without the client's word (RFC 9110 §9.2.2), as far as they have no body. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

export interface ExchangeOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly host: HostFlow;
  readonly path: string;
  readonly authority: string;
  readonly body: RequestBody;
  /** Whether the client's connection is to be closed after the response. */
  readonly isLast: () => boolean;
  /** Sends an informational response: its head, whole. */
  readonly inform: (head: Uint8Array) => void;
  /** The response is sent and the request is read to its end. */
  readonly done: () => void;
  /** Nothing of a response was sent, and there is none to send. */
  readonly failed: (failure: UpstreamFailure) => void;
  /** A response was begun and cannot be finished, or was finished while nobody reads the rest of the request. */
  readonly broken: () => void;
}

/** Forwards one request and its response; both bodies stream at the pace of the slower side. Calls back once. */
export class Exchange {
  readonly #options: ExchangeOptions;
  #sent: ClientRequest | null = null;
  #informed = 0;
  #isContinued = false;
  #isRetried = false;
  #isOver = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  start(): void {
    const { request, response } = this.#options;
    this.#send();
    request.on('data', () => this.#options.host.active());
    request.once('end', () => this.#finishRequest());
    response.once('finish', () => this.#maybeDone());
  }

  /** Whether the client has got anything of the final response. */
  get hasAnswered(): boolean {
    return this.#options.response.headersSent;
  }

  /** Stops at once; nothing is called any more. */
  abort(): void {
    this.#isOver = true;
    const { request, response } = this.#options;
    if (this.#sent !== null) request.unpipe(this.#sent);
    this.#sent?.destroy();
    response.removeAllListeners('finish');
  }

  #send(): void {
    const { request, host, path, authority, body } = this.#options;
    const isChunked = body === 'chunked';
    const sent = sendHead(host.upstream, {
      method: request.method ?? '',
      path,
      fields: requestFields({ headers: pairsOf(request.rawHeaders), authority, isChunked, upgrades: false }),
    });
    this.#sent = sent;
    sent.on('information', info => this.#inform(info));
    sent.on('response', answer => this.#answer(answer));
    sent.on('upgrade', (_answer, socket) => {
      socket.destroy();
      this.#fail({ kind: 'malformed-response', code: 'unasked-upgrade' });
    });
    sent.on('error', error => this.#sendFailed(sent, error));
    sent.on('close', () => this.#abandonIfUnread());
    request.pipe(sent, { end: false });
  }

  #finishRequest(): void {
    if (this.#isOver) return;
    const trailers = trailerFields(pairsOf(this.#options.request.rawTrailers));
    if (trailers.length > 0) this.#sent?.addTrailers(trailers);
    this.#sent?.end();
    this.#maybeDone();
  }

  /** A kept connection may have been closed by the server while the request was on its way: once more, on a new one. */
  #sendFailed(sent: ClientRequest, error: Error): void {
    if (this.#isOver || sent !== this.#sent) return;
    const { request, body } = this.#options;
    const isRepeatable = REPEATABLE.has(request.method ?? '') && body === 'none' && this.#informed === 0;
    if (sent.reusedSocket && isRepeatable && !this.#isRetried && !this.hasAnswered) {
      this.#isRetried = true;
      request.unpipe(sent);
      this.#send();
      if (request.readableEnded) this.#sent?.end();
      return;
    }
    this.#fail(failureOf(error));
  }

  #inform({ statusCode, statusMessage, rawHeaders }: InformationEvent): void {
    const { request, response, host, inform } = this.#options;
    if (this.#isOver || request.httpVersion === '1.0') return;
    host.active();
    if (++this.#informed > MAX_INFORMATIONAL) {
      return this.#fail({ kind: 'malformed-response', code: 'informational-count' });
    }
    if (statusCode === 100) {
      this.#isContinued = true;
      response.writeContinue();
    } else inform(headBytes(statusCode, statusMessage, informationalFields(pairsOf(rawHeaders))));
  }

  #answer(answer: IncomingMessage): void {
    if (this.#isOver) return;
    const { response, request, host, isLast } = this.#options;
    const status = answer.statusCode ?? 0;
    const headers = pairsOf(answer.rawHeaders);
    if (status < 200 || !isReadableCoding(headers)) {
      return this.#fail({ kind: 'malformed-response', code: 'transfer-encoding' });
    }
    const isOldClient = request.httpVersion === '1.0';
    const isSelfFramed = 'content-length' in answer.headers || request.method === 'HEAD' || status === 304;
    // A client that was told to go on by nobody may still send the body or not.
    const isBodyUnsure = request.headers.expect !== undefined && !this.#isContinued;
    const isReadNoFurther = !request.complete && !this.#sent?.shouldKeepAlive;
    if (isLast() || isBodyUnsure || isReadNoFurther || (isOldClient && !isSelfFramed))
      response.shouldKeepAlive = false;
    response.sendDate = false;
    response.removeHeader('connection');
    const keepsAlive = response.shouldKeepAlive;
    const fields = responseFields({ headers, status, isOldClient, keepsAlive });
    try {
      response.writeHead(status, answer.statusMessage ?? '', fields.flat());
    } catch {
      return this.#fail({ kind: 'malformed-response', code: 'head' });
    }
    // Not flushHeaders, which would send bytes above ASCII as UTF-8.
    response.write('', 'latin1');
    answer.on('data', () => host.active());
    answer.pipe(response, { end: false });
    answer.once('end', () => {
      if (this.#isOver) return;
      const trailers = trailerFields(pairsOf(answer.rawTrailers));
      if (trailers.length > 0) response.addTrailers(trailers);
      host.upstream.count();
      response.end();
      this.#abandonIfUnread();
    });
    answer.once('error', error => this.#fail(failureOf(error)));
  }

  /** The server has answered and gone, and takes no more of the request. */
  #abandonIfUnread(): void {
    const { request, response } = this.#options;
    if (this.#isOver || !this.#sent?.destroyed || !response.writableEnded || request.readableEnded) return;
    this.#fail({ kind: 'closed' });
  }

  #maybeDone(): void {
    const { request, response, done } = this.#options;
    if (this.#isOver || !response.writableFinished || !request.readableEnded) return;
    this.#isOver = true;
    done();
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    const { failed, broken } = this.#options;
    const hasAnswered = this.hasAnswered;
    this.abort();
    if (hasAnswered) broken();
    else failed(failure);
  }
}
