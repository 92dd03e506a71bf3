import { describe, expect, it } from 'vitest';
import { type ClientHelloResult, ClientHelloWatcher, parseClientHello } from '../../src/tls-sni/index.ts';
import { readAdversarial } from '../support/corpus.ts';
import { everyByte, feed } from './feed.ts';

/** What the fixture leaves to the policy: these are served, the rest of that kind is not. */
const SERVED_BY_POLICY = new Set(['B04', 'B16', 'R21', 'R39']);

const rows = readAdversarial('adversarial.jsonl').map(row => ({
  ...row,
  verdict: row.expect === 'policy' ? (SERVED_BY_POLICY.has(row.id) ? 'allow' : 'deny') : row.expect,
}));

describe('hostile and odd TLS openings', () => {
  it.each(rows.filter(row => row.verdict === 'allow'))('$id $desc: the name is read', row => {
    const name = nameOf(parseClientHello(row.stream));
    expect(name).not.toBeNull();
    expect(name).toBe(row.expect_host);
  });

  it.each(rows.filter(row => row.verdict === 'deny'))('$id $desc: no allowed name comes of it', row => {
    const result = parseClientHello(row.stream);
    const isPlainlyRefused = result.kind !== 'need-more' && !isAllowed(nameOf(result));
    expect(isPlainlyRefused || violatesLater(row.stream, result)).toBe(true);
  });

  it.each(rows.filter(row => row.verdict === 'timeout'))('$id $desc: more is needed', row => {
    expect(parseClientHello(row.stream).kind).toBe('need-more');
  });

  it('say the same one byte at a time', () => {
    for (const row of rows) {
      expect(feed(row.stream, everyByte(row.stream)), row.id).toEqual(parseClientHello(row.stream));
    }
  });
});

function nameOf(result: ClientHelloResult): string | null {
  return result.kind === 'done' ? (result.serverName?.toLowerCase() ?? null) : null;
}

/** The rules that the fixture assumes. */
function isAllowed(name: string | null): boolean {
  const tail = '.wild.example';
  return (
    name === 'allowed.example' ||
    (name?.endsWith(tail) === true && name.length > tail.length && !name.slice(0, -tail.length).includes('.'))
  );
}

function violatesLater(stream: Uint8Array, result: ClientHelloResult): boolean {
  if (result.kind !== 'done') return false;
  const rest = stream.subarray(result.consumed);
  return new ClientHelloWatcher(result, 65_536).push(rest).kind === 'violation';
}
