import { describe, expect, it } from 'vitest';
import { httpRefusal, tlsAlert } from '../../src/dataplane/farewell.ts';
import { REASONS, type Reason } from '../../src/policy/reason.ts';

const reasons = Object.keys(REASONS) as Reason[];

describe('the TLS alert of a refusal', () => {
  it.each<[Reason, number]>([
    ['malformed_hello', 50],
    ['hello_too_large', 50],
    ['no_hostname', 112],
    ['unresolvable', 112],
    ['flow_limit', 80],
    ['source_limit', 80],
    ['undecided_source_limit', 80],
    ['undecided_limit', 80],
    ['not_allowed', 49],
    ['rule_denied', 49],
    ['ech', 49],
  ])('for %s is %i', (reason, description) => {
    expect(tlsAlert(reason)).toEqual(Uint8Array.of(21, 3, 3, 0, 2, 2, description));
  });
});

describe('the HTTP refusal', () => {
  it.each<[Reason, string, string]>([
    ['not_allowed', '403 Forbidden', 'http_request_denied'],
    ['rule_denied', '403 Forbidden', 'http_request_denied'],
    ['destination_forbidden', '403 Forbidden', 'destination_ip_prohibited'],
    ['malformed_request', '400 Bad Request', 'http_request_error'],
    ['hello_timeout', '408 Request Timeout', 'http_request_error'],
    ['hello_too_large', '431 Request Header Fields Too Large', 'http_request_error'],
    ['unresolvable', '502 Bad Gateway', 'dns_error'],
    ['flow_limit', '503 Service Unavailable', 'connection_limit_reached'],
    ['source_limit', '503 Service Unavailable', 'connection_limit_reached'],
    ['undecided_source_limit', '503 Service Unavailable', 'connection_limit_reached'],
    ['undecided_limit', '503 Service Unavailable', 'connection_limit_reached'],
  ])('for %s is %s, error=%s', (reason, status, error) => {
    const text = Buffer.from(httpRefusal(reason, 'CONNECT a.example:443', 'gw-1')).toString('latin1');
    expect(text.split('\r\n').slice(0, 2)).toEqual([
      `HTTP/1.1 ${status}`,
      `Proxy-Status: gw-1; error=${error}; details="${reason}"`,
    ]);
  });

  it.each(reasons)('for %s is a whole response that names host, reason and gateway', reason => {
    const bytes = Buffer.from(httpRefusal(reason, 'CONNECT a.example:443', 'gw-1'));
    const end = bytes.indexOf('\r\n\r\n') + 4;
    const head = bytes.subarray(0, end).toString('latin1');
    const body = bytes.subarray(end);
    expect(head).toContain(`\r\nContent-Length: ${body.length}\r\n`);
    expect(head).toContain('\r\nConnection: close\r\n');
    for (const part of ['gw-1', 'a.example', reason]) expect(body.toString('latin1')).toContain(part);
    expect(body.every(byte => byte < 0x80)).toBe(true);
  });
});
