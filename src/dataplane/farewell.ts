import { isLimit, REASONS, type Reason } from '../policy/reason.ts';
import { postgresError } from '../sniff/postgres.ts';

/** RFC 8446 §6: alert descriptions. */
const DECODE_ERROR = 50;
const ACCESS_DENIED = 49;
const INTERNAL_ERROR = 80;
const UNRECOGNIZED_NAME = 112;

/** A fatal TLS alert in the clear, which a client that has only sent its hello reads as our answer. */
export function tlsAlert(reason: Reason): Uint8Array {
  return Uint8Array.of(21, 3, 3, 0, 2, 2, alertDescription(reason));
}

function alertDescription(reason: Reason): number {
  switch (reason) {
    case 'malformed_hello':
    case 'hello_too_large':
      return DECODE_ERROR;
    case 'no_hostname':
    case 'unresolvable':
      return UNRECOGNIZED_NAME;
    default:
      return isLimit(reason) ? INTERNAL_ERROR : ACCESS_DENIED;
  }
}

/** What a PostgreSQL client that goes on in the clear reads as the server's answer. */
export function postgresRefusal(reason: Reason): Uint8Array {
  const message = `sallyport refused the connection: ${reason} (${REASONS[reason]})`;
  return postgresError(message, 'The host name is read from TLS: use sslmode=require or stricter.');
}

/**
 * An HTTP refusal that names the hostname, the reason and the gateway, in text and as Proxy-Status (RFC 9209).
 * `subject` and `gateway` must hold no control characters or quotes.
 */
export function httpRefusal(reason: Reason, subject: string, gateway: string): Uint8Array {
  const { status, error } = httpStatus(reason);
  const body = `${gateway} refused ${subject}: ${reason} (${REASONS[reason]})\n`;
  const head = [
    `HTTP/1.1 ${status}`,
    `Proxy-Status: ${gateway}; error=${error}; details="${reason}"`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

export function httpStatus(reason: Reason): { status: string; error: string } {
  switch (reason) {
    case 'malformed_request':
      return { status: '400 Bad Request', error: 'http_request_error' };
    case 'hello_timeout':
      return { status: '408 Request Timeout', error: 'http_request_error' };
    case 'hello_too_large':
      return { status: '431 Request Header Fields Too Large', error: 'http_request_error' };
    case 'unresolvable':
      return { status: '502 Bad Gateway', error: 'dns_error' };
    case 'destination_forbidden':
      return { status: '403 Forbidden', error: 'destination_ip_prohibited' };
    default:
      return isLimit(reason)
        ? { status: '503 Service Unavailable', error: 'connection_limit_reached' }
        : { status: '403 Forbidden', error: 'http_request_denied' };
  }
}
