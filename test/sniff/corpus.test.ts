import { describe, expect, it } from 'vitest';
import { parseConnect } from '../../src/sniff/connect.ts';
import { parseRequestHead } from '../../src/sniff/http-head.ts';
import { judgeRequest } from '../../src/sniff/http-request.ts';
import { type HostRow, readAdversarial, readCaptures } from '../support/corpus.ts';
import { feedHead } from './head.ts';

const captures = readCaptures<HostRow>('http.jsonl');
const hostile = readAdversarial('adversarial_http.jsonl');

/** Denied by the rules, by what follows the head, or by the address: a pure parser of the head finds nothing wrong. */
const FORM_IS_FINE = new Set(['K02', 'K03', 'K08', 'K10', 'K14', 'K55', 'K56']);

/** Port 80: refused by the head alone. The others are well-formed, and it is for the Host and the rules to decide. */
const HEAD_IS_BROKEN = new Set(
  'W06 W10 W11 W13 V20 V21 A16 L01 L02 L03 L06 L07 L08 L10 L11 L12 L13 L15 L17 L23 L24'.split(' '),
);

describe('hostile CONNECT requests', () => {
  const rows = hostile.filter(row => row.cat === 'connect');

  it.each(rows)('$id $desc', row => {
    const head = parseRequestHead(row.stream);
    const result = head.kind === 'done' ? parseConnect(head) : head;
    const isTaken = result.kind === 'name' || result.kind === 'address';
    expect(isTaken).toBe(row.expect === 'allow' || FORM_IS_FINE.has(row.id));
    if (row.expect === 'allow') {
      expect(result.kind === 'name' && result.hostname.toLowerCase()).toBe(row.expect_host);
    }
  });
});

describe('hostile requests for port 80', () => {
  it.each(hostile.filter(row => row.cat === 'http'))('$id $desc: the head', row => {
    const { kind } = parseRequestHead(row.stream);
    if (row.expect === 'timeout') expect(kind).toBe('need-more');
    else expect(['malformed', 'too-large'].includes(kind)).toBe(HEAD_IS_BROKEN.has(row.id));
  });

  it.each(hostile.filter(row => row.cat === 'http' && row.expect === 'allow'))('$id $desc: the host', row => {
    const head = parseRequestHead(row.stream);
    const result = head.kind === 'done' ? judgeRequest(head, { kind: 'server', port: 80 }) : head;
    expect(
      result.kind === 'request' && result.target.kind === 'name' && result.target.hostname.toLowerCase(),
    ).toBe(row.expect_host);
  });

  it('say the same one byte at a time', () => {
    for (const row of hostile) {
      const whole = parseRequestHead(row.stream);
      const inPieces = feedHead(row.stream, 1);
      if (whole.kind === 'need-more') expect(inPieces.kind, row.id).toBe('need-more');
      else expect(inPieces, row.id).toEqual(whole);
    }
  });
});

describe.skipIf(captures === null)(
  'captured request heads (skipped when ../shared/corpus is missing)',
  () => {
    it('that are taken show the Host that an independent parser reads', () => {
      const taken = (captures ?? []).flatMap(row => {
        const head = parseRequestHead(row.stream);
        if (head.kind !== 'done' || row.host === null) return [];
        const hosts = head.headers
          .filter(([name]) => name.toLowerCase() === 'host')
          .map(([, value]) => value);
        return hosts.length === 1 ? [{ id: row.id, read: hosts[0], host: row.host }] : [];
      });
      for (const { id, read, host } of taken) expect(read, id).toBe(host);
      expect(taken.length).toBeGreaterThan((captures ?? []).length / 2);
    });

    it('that are judged name the host that an independent parser reads', () => {
      const named = (captures ?? []).flatMap(row => {
        const head = parseRequestHead(row.stream);
        if (head.kind !== 'done' || row.host === null) return [];
        const port = Number(/:(\d+)$/.exec(row.host ?? '')?.[1] ?? 80);
        const result = judgeRequest(head, { kind: 'server', port });
        return result.kind === 'request' ? [{ id: row.id, read: result.authority, host: row.host }] : [];
      });
      for (const { id, read, host } of named) expect(read, id).toBe(host);
      expect(named.length).toBeGreaterThan((captures ?? []).length / 2);
    });
  },
);
