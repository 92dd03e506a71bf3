import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONNECT_FAULTS, type ConnectFault, parseConnect } from '../../src/sniff/connect.ts';
import { hostnameFault } from '../../src/tls-sni/index.ts';
import { headOf } from './head.ts';

const connect = (target: string, ...lines: string[]) =>
  parseConnect(headOf(`CONNECT ${target} HTTP/1.1`, ...lines));

describe('parseConnect', () => {
  it.each([
    ['allowed.example:443', { kind: 'name', hostname: 'allowed.example', port: 443 }],
    ['ALLOWED.Example:1', { kind: 'name', hostname: 'ALLOWED.Example', port: 1 }],
    ['localhost:65535', { kind: 'name', hostname: 'localhost', port: 65_535 }],
    ['169.254.169.254:80', { kind: 'address', ip: '169.254.169.254', port: 80 }],
    ['[::1]:443', { kind: 'address', ip: '::1', port: 443 }],
    ['[2001:DB8::1]:443', { kind: 'address', ip: '2001:DB8::1', port: 443 }],
    ['[::ffff:127.0.0.1]:443', { kind: 'address', ip: '::ffff:127.0.0.1', port: 443 }],
  ])('takes %s', (target, expected) => {
    expect(connect(target, `Host: ${target}`)).toEqual(expected);
  });

  it.each<[string, ConnectFault]>([
    ['allowed.example', 'target-port'],
    ['allowed.example:', 'target-port'],
    ['allowed.example:0', 'target-port'],
    ['allowed.example:0443', 'target-port'],
    ['allowed.example:+443', 'target-port'],
    ['allowed.example:-1', 'target-port'],
    ['allowed.example:443x', 'target-port'],
    ['allowed.example:4e2', 'target-port'],
    ['allowed.example:65536', 'target-port'],
    ['allowed.example:443/x', 'target-port'],
    ['http://allowed.example/', 'target-port'],
    ['/', 'target-port'],
    ['*', 'target-port'],
    [':443', 'name-empty'],
    ['allowed.example:443:80', 'name-byte'],
    ['user@allowed.example:443', 'name-byte'],
    ['/allowed.example:443', 'name-byte'],
    ['allowed.example%00:443', 'name-byte'],
    ['allowed.example.:443', 'label-empty'],
    ['2130706433:443', 'name-numeric'],
    ['0x7f.1:443', 'name-numeric'],
    ['127.1:443', 'name-numeric'],
    ['127.0.0.01:443', 'name-numeric'],
    ['::1:443', 'name-ip-literal'],
    ['[allowed.example]:443', 'target-address'],
    ['[127.0.0.1]:443', 'target-address'],
    ['[fe80::1%25eth0]:443', 'target-address'],
    ['[::1:443', 'target-address'],
    ['[]:443', 'target-address'],
    [`[${'0'.repeat(300)}::1]:443`, 'target-address'],
  ])('refuses %s as %s', (target, reason) => {
    expect(connect(target, `Host: ${target}`)).toEqual({ kind: 'malformed', reason });
  });

  it.each<[string, string[], ConnectFault | null]>([
    ['the target', ['Host: allowed.example:443'], null],
    ['the target in other case', ['HOST: Allowed.EXAMPLE:443'], null],
    ['the target without a port', ['Host: allowed.example'], null],
    ['nothing', [], 'host-missing'],
    ['the target twice', ['Host: allowed.example:443', 'host: allowed.example:443'], 'host-duplicate'],
    ['another host', ['Host: evil.example:443'], 'host-differs'],
    ['another port', ['Host: allowed.example:80'], 'host-differs'],
    ['an empty port', ['Host: allowed.example:'], 'host-differs'],
    ['an empty value', ['Host:'], 'host-differs'],
  ])('with a Host line that says %s', (_, lines, reason) => {
    const result = connect('allowed.example:443', ...lines);
    expect(result.kind === 'malformed' ? result.reason : null).toBe(reason);
  });

  it('does without a Host line in HTTP/1.0', () => {
    expect(parseConnect(headOf('CONNECT allowed.example:443 HTTP/1.0')).kind).toBe('name');
  });

  it.each<[string, boolean]>([
    ['Content-Length: 0', true],
    ['Content-Length: 4', false],
    ['Content-Length: 00', false],
    ['Content-Length:', false],
    ['Transfer-Encoding: chunked', false],
    ['Transfer-Encoding:', false],
  ])('with %s: taken %s', (line, taken) => {
    const result = connect('allowed.example:443', 'Host: allowed.example:443', line);
    expect(result.kind === 'name').toBe(taken);
    if (!taken) expect(result).toEqual({ kind: 'malformed', reason: 'has-body' });
  });

  it('refuses another method', () => {
    const head = headOf('GET allowed.example:443 HTTP/1.1', 'Host: allowed.example:443');
    expect(parseConnect(head)).toEqual({ kind: 'malformed', reason: 'not-connect' });
  });

  it('gives only hostnames and plain ports for any target', () => {
    const char = fc.constantFrom('a', '1', '.', ':', '[', ']', '-', '%', '@', '/', '443');
    fc.assert(
      fc.property(fc.string({ unit: char, minLength: 1, maxLength: 30 }), target => {
        const result = connect(target, `Host: ${target}`);
        if (result.kind === 'malformed') {
          expect(CONNECT_FAULTS).toHaveProperty(result.reason);
          return;
        }
        expect(`${result.port}`).toBe(target.slice(target.lastIndexOf(':') + 1));
        if (result.kind === 'name') expect(hostnameFault(result.hostname)).toBeNull();
      }),
      { numRuns: 3_000 },
    );
  });
});
