import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';

/** What a command prints to and knows of its surroundings. */
export interface Io {
  /** Data. */
  out(text: string): void;
  /** Fires when nobody reads the data any more; absent where that cannot be. */
  readonly outClosed?: AbortSignal;
  /** Messages. */
  err(text: string): void;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
  /** Whether messages go to a terminal, where a line can be written over. */
  readonly errIsTerminal: boolean;
  /** Somebody who reads what is printed and can answer; absent in a script. */
  readonly terminal?: { ask(question: string): Promise<string> };
}

/** That of this process. */
export function processIo(outClosed: AbortSignal): Io {
  return {
    out: text => void process.stdout.write(text),
    outClosed,
    err: text => void process.stderr.write(text),
    env: process.env,
    get stdin() {
      return process.stdin;
    },
    errIsTerminal: process.stderr.isTTY === true,
    ...(isatty(0) && isatty(1) ? { terminal: { ask: askTerminal } } : {}),
  };
}

async function askTerminal(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // The end of the input is an answer too, and it is none.
  const ended = new Promise<string>(resolve => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}

/** 0: yes. 1: the answer is no. 2: the question was wrong. */
export type ExitCode = 0 | 1 | 2;

/** A question that was put wrongly: exits with 2 after its message. */
export class UsageError extends Error {}

/** A message for the operator without a stack: exits with 1. */
export class CommandFailure extends Error {}
