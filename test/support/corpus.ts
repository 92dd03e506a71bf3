import { existsSync, readFileSync } from 'node:fs';
import { checkoutUrl } from './checkout.ts';

/** Third-party captures stay outside the repository, in a folder beside the checkout. */
const CAPTURES = '../shared/corpus/';
const FIXTURES = 'test/fixtures/';

export interface CorpusRow {
  readonly id: string;
  readonly stream: Uint8Array;
}

export interface HelloRow extends CorpusRow {
  readonly kind: 'tls' | 'sslv2';
  readonly sni: string | null;
}

export interface HostRow extends CorpusRow {
  readonly host: string | null;
}

export interface AdversarialRow extends CorpusRow {
  readonly cat: string;
  readonly desc: string;
  readonly expect: 'allow' | 'deny' | 'timeout' | 'first-only' | 'policy';
  readonly expect_host: string | null;
  /** Lengths of the TCP segments to send the stream in; absent: one. */
  readonly segments?: readonly number[];
  /** In CONNECT rows: the row of adversarial.jsonl that follows as inner stream. */
  readonly inner_id?: string;
}

/** Rows of a capture file, or null when the folder is not there: such tests skip. */
export function readCaptures<Row extends CorpusRow>(file: string): Row[] | null {
  const url = checkoutUrl(CAPTURES + file);
  return existsSync(url) ? readRows<Row>(url) : null;
}

export function readAdversarial(file: 'adversarial.jsonl' | 'adversarial_http.jsonl'): AdversarialRow[] {
  return readRows<AdversarialRow>(checkoutUrl(FIXTURES + file));
}

function readRows<Row extends CorpusRow>(url: URL): Row[] {
  const lines = readFileSync(url, 'utf8')
    .split('\n')
    .filter(line => line !== '');
  return lines.map(line => {
    const row = JSON.parse(line);
    return { ...row, stream: Uint8Array.from(Buffer.from(row.client_stream_hex ?? row.head_hex, 'hex')) };
  });
}
