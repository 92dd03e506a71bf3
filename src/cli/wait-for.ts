import type { Io } from './io.ts';
import { Progress } from './progress.ts';

const LOOK_MS = 200;

/** Waits for an answer, and says what for when that takes long. */
export async function waitFor<T>(answer: Promise<T>, what: string, io: Io): Promise<T> {
  const progress = new Progress(io);
  const timer = setInterval(() => progress.say(() => `${what} ...`), LOOK_MS);
  try {
    return await answer;
  } finally {
    clearInterval(timer);
    progress.end();
  }
}
