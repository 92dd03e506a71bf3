import type { Writable } from 'node:stream';

/** Resolves when all that was written to a stream has left it, or nobody reads it any more. Never rejects. */
export function flush(stream: Writable): Promise<void> {
  return new Promise(resolve => {
    stream.once('error', () => resolve());
    stream.once('close', () => resolve());
    stream.write('', () => resolve());
  });
}
