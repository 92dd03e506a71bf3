import { type AdversarialRow, readAdversarial } from './corpus.ts';

/** What the fixture leaves to the policy: these are served, the rest of that kind is not. */
const SERVED_BY_POLICY = new Set(['B04', 'B16', 'R21', 'R39']);
/** N25 expects a name of five labels to match `*.wild.example`; here `*` stands for one label, so it is denied. */
const DENIED_BY_ONE_LABEL_WILDCARD = 'N25';
/** Plain HTTP to allowed.example: refused in a tunnel, served elsewhere (plain-http.test.ts). */
const PLAIN_HTTP = 'X04';

export type Verdict = 'allow' | 'deny' | 'timeout';

export interface AdversarialCase {
  readonly id: string;
  readonly desc: string;
  readonly verdict: Verdict;
  /** What upstream must receive, byte for byte. */
  readonly stream: Uint8Array;
  /** Lengths of the segments to send it in. */
  readonly segments: readonly number[];
}

/** The hosts of the policy that the verdicts are for. */
export const ADVERSARIAL_HOSTS = ['allowed.example', '*.wild.example'] as const;

/** Every hostile opening of TLS, with what becomes of it where the client names its host by the hello alone. */
export function directCases(): AdversarialCase[] {
  return allCases().filter(({ id }) => id !== PLAIN_HTTP);
}

/** The same inside of a tunnel to allowed.example: a hello that names another host is one more to refuse. */
export function tunnelledCases(): AdversarialCase[] {
  const rows = readAdversarial('adversarial.jsonl');
  return allCases().map((one, i) => {
    const isOther = rows[i]?.expect_host?.toLowerCase() !== 'allowed.example';
    return one.verdict === 'allow' && isOther ? { ...one, verdict: 'deny' } : one;
  });
}

function allCases(): AdversarialCase[] {
  return readAdversarial('adversarial.jsonl').map(row => ({
    id: row.id,
    desc: row.desc,
    verdict: verdictOf(row),
    stream: row.stream,
    segments: row.segments ?? [row.stream.length],
  }));
}

export function verdictOf({ id, expect }: AdversarialRow): Verdict {
  if (id === DENIED_BY_ONE_LABEL_WILDCARD) return 'deny';
  if (expect === 'allow' || expect === 'timeout') return expect;
  return expect === 'policy' && SERVED_BY_POLICY.has(id) ? 'allow' : 'deny';
}

/** Sends the stream in its segments, each handed to the kernel before the next. */
export async function sendSegments(
  client: { send(bytes: Uint8Array): Promise<void> },
  { stream, segments }: AdversarialCase,
): Promise<void> {
  let at = 0;
  for (const length of segments) {
    await client.send(stream.subarray(at, at + length));
    at += length;
  }
  if (at !== stream.length) throw new Error(`segments of ${at} bytes for a stream of ${stream.length}`);
}
