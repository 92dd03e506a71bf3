import type { Socket } from 'node:net';
import type { Reason } from '../../policy/reason.ts';
import { DEFAULT_HEAD_LIMITS, parseRequestHead, type RequestHeadResume } from '../../sniff/http-head.ts';
import { type HttpRole, judgeRequest } from '../../sniff/http-request.ts';
import { mayBeRequest } from '../http-method.ts';
import { OpeningBuffer } from '../opening-buffer.ts';
import type { Timers } from '../timers.ts';

/** RFC 9113 §3.4: made so that readers of HTTP/1 stumble over it. */
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n', 'latin1');

export type FirstRequest =
  /** A whole head that breaks no rule. `bytes` begin with it. */
  | { readonly kind: 'readable'; readonly bytes: Uint8Array }
  /** `detail`: a key of the sniffers' fault tables; null where nothing is malformed. */
  | {
      readonly kind: 'unreadable';
      readonly bytes: Uint8Array;
      readonly reason: Reason;
      readonly detail: string | null;
    }
  | { readonly kind: 'reset' };

export interface FirstRequestOptions {
  readonly socket: Socket;
  /** What was read from the socket before. */
  readonly opening: Uint8Array;
  readonly role: HttpRole;
  readonly timeoutMs: number;
  readonly timers: Timers;
  readonly done: (first: FirstRequest) => void;
}

/**
 * Reads a client until its first request head is whole, with the strict parser, before node:http sees a byte: as long
 * as nothing was consumed the flow can still be forwarded unread. Calls `done` once, possibly at once, and leaves the
 * socket paused and without listeners. Returns how to give up early, without a call.
 */
export function readFirstRequest(options: FirstRequestOptions): () => void {
  const { socket, role, timers, done } = options;
  const opening = new OpeningBuffer();
  let resume: RequestHeadResume | undefined;
  let isSettled = false;
  const timer = timers.after(options.timeoutMs, () => unreadable('hello_timeout'));
  socket.on('data', read);
  socket.on('end', ended);
  socket.on('error', reset);
  socket.on('close', reset);
  read(options.opening);
  if (socket.readableEnded) ended();
  else if (socket.destroyed) reset();
  else if (!isSettled) socket.resume();
  return stop;

  function read(chunk: Uint8Array): void {
    opening.append(chunk);
    opening.keep();
    const head = parseRequestHead(opening.view(), resume, DEFAULT_HEAD_LIMITS);
    switch (head.kind) {
      case 'need-more':
        resume = head.resume;
        return mayBeRequest(opening.view()) ? undefined : unreadable('malformed_request', 'method');
      case 'too-large':
        return unreadable('hello_too_large');
      case 'malformed':
        return unreadable('malformed_request', isHttp2Preface() ? 'http2-preface' : head.reason);
      case 'done': {
        if (!mayBeRequest(opening.view())) return unreadable('malformed_request', 'method');
        const judged = judgeRequest(head, role);
        if (judged.kind === 'malformed') return unreadable('malformed_request', judged.reason);
        return settle({ kind: 'readable', bytes: opening.take() });
      }
      default:
        head satisfies never;
    }
  }

  function isHttp2Preface(): boolean {
    return Buffer.from(opening.view().subarray(0, HTTP2_PREFACE.length)).equals(HTTP2_PREFACE);
  }

  function ended(): void {
    unreadable('client_closed');
  }

  function reset(): void {
    settle({ kind: 'reset' });
  }

  function unreadable(reason: Reason, detail: string | null = null): void {
    settle({ kind: 'unreadable', bytes: opening.take(), reason, detail });
  }

  function settle(first: FirstRequest): void {
    if (isSettled) return;
    isSettled = true;
    stop();
    done(first);
  }

  function stop(): void {
    timer.cancel();
    socket.pause();
    socket.off('data', read);
    socket.off('end', ended);
    socket.off('error', reset);
    socket.off('close', reset);
  }
}
