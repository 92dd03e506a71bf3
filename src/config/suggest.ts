import { closest, distance } from 'fastest-levenshtein';

/** `did you mean "hosts"?` when one of the known words is near, else the list of them. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === null ? `known here: ${known.join(', ')}` : `did you mean ${JSON.stringify(near)}?`;
}

/** The known word that is nearest, less than half of its letters away; null when none is. Long words are not compared. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (known.length === 0 || word.length > 64) return null;
  const candidate = closest(word.toLowerCase(), [...known]);
  return distance(word.toLowerCase(), candidate) <= Math.max(1, Math.floor(candidate.length * 0.45))
    ? candidate
    : null;
}
