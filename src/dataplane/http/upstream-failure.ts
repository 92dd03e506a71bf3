import type { DialFailure, FlowEnd } from '../events.ts';
import type { Answer } from './answer.ts';
import { DialError } from './upstream.ts';

/** Why an upstream gave no answer that could be passed on. */
export type UpstreamFailure =
  | { readonly kind: 'dial'; readonly failure: DialFailure }
  | { readonly kind: 'closed' }
  | { readonly kind: 'idle' }
  /** `code`: what is wrong with it, for the client. */
  | { readonly kind: 'malformed-response'; readonly code: string };

export function failureOf(error: NodeJS.ErrnoException): UpstreamFailure {
  if (error instanceof DialError) return { kind: 'dial', failure: error.failure };
  const code = error.code ?? '';
  return code.startsWith('HPE_')
    ? { kind: 'malformed-response', code: code.slice('HPE_'.length).toLowerCase().replaceAll('_', '-') }
    : { kind: 'closed' };
}

/** What to tell the client. */
export function failureAnswer(failure: UpstreamFailure, subject: string): Answer {
  switch (failure.kind) {
    case 'dial':
      return { subject, reason: `dial_${failure.failure}`, ...DIAL_ANSWERS[failure.failure] };
    case 'closed':
      return {
        subject,
        status: 502,
        error: 'connection_terminated',
        reason: 'upstream_closed',
        explanation: 'the server closed the connection before it had answered',
      };
    case 'idle':
      return {
        subject,
        status: 504,
        error: 'http_response_timeout',
        reason: 'idle_timeout',
        explanation: 'the server did not answer in time (limits.idleTimeout)',
      };
    case 'malformed-response':
      return {
        subject,
        status: 502,
        error: 'http_protocol_error',
        reason: 'malformed_response',
        explanation: `the server's answer breaks the grammar of HTTP: ${failure.code}`,
      };
    default:
      return failure satisfies never;
  }
}

/** How the failure ends the flow of that host. */
export function failureEnd(failure: UpstreamFailure): FlowEnd {
  switch (failure.kind) {
    case 'dial':
      return 'dial_failed';
    case 'closed':
    case 'malformed-response':
      return 'server_reset';
    case 'idle':
      return 'idle_timeout';
    default:
      return failure satisfies never;
  }
}

const DIAL_ANSWERS: Readonly<Record<DialFailure, Pick<Answer, 'status' | 'error' | 'explanation'>>> = {
  refused: { status: 502, error: 'connection_refused', explanation: 'the server refused the connection' },
  timeout: {
    status: 504,
    error: 'connection_timeout',
    explanation: 'no connection to the server in time (limits.dialTimeout)',
  },
  unreachable: { status: 502, error: 'destination_ip_unroutable', explanation: 'no route to the server' },
  other: { status: 502, error: 'destination_unavailable', explanation: 'no connection to the server' },
};
