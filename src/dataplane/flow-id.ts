import { randomBytes } from 'node:crypto';

/** Tells this run of the daemon from others in the same log. */
export function newRunId(): string {
  return randomBytes(5).toString('hex');
}

/** Makes flow identifiers: the prefix, then a count in base 36. */
export function flowIds(prefix: string): () => string {
  let count = 0;
  return () => `${prefix}${(count++).toString(36)}`;
}
