import { readFileSync } from 'node:fs';

/** An input that once failed, and must never again. */
export interface Regression {
  readonly target: string;
  readonly property: string;
  /** As JSON; bytes in hex. */
  readonly input: string;
  /** What had been wrong. */
  readonly was: string;
}

/** Reads a file of one JSON object a line. Throws with the line for what is none. */
export function readRegressions(path: string | URL): Regression[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [readRow(line, `${path}:${i + 1}`)]));
}

function readRow(line: string, place: string): Regression {
  try {
    const { target, property, input, was } = JSON.parse(line);
    if (typeof target !== 'string' || typeof property !== 'string' || input === undefined) {
      throw new Error('target, property and input are wanted');
    }
    return { target, property, input: JSON.stringify(input), was: String(was ?? '') };
  } catch (error) {
    throw new Error(`${place}: no regression row`, { cause: error });
  }
}
