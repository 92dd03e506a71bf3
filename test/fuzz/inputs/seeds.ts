import fc from 'fast-check';
import { type AdversarialRow, readAdversarial, readCaptures } from '../../support/corpus.ts';

/** Our own hostile openings, and the captured ones where they are beside the checkout. */
export function seedsFrom(
  captured: 'hellos.jsonl' | 'http.jsonl',
  hostile: 'adversarial.jsonl' | 'adversarial_http.jsonl',
  wanted: (row: AdversarialRow) => boolean = () => true,
): fc.Arbitrary<Uint8Array> {
  const rows = [...readAdversarial(hostile).filter(wanted), ...(readCaptures(captured) ?? [])];
  return fc.constantFrom(...rows.map(({ stream }) => stream));
}
