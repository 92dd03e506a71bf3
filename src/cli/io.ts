import type { Readable } from 'node:stream';

/** What a command prints to and knows of its surroundings. */
export interface Io {
  /** Data. */
  out(text: string): void;
  /** Messages. */
  err(text: string): void;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: Readable;
  /** Whether messages go to a terminal, where a line can be written over. */
  readonly errIsTerminal: boolean;
}

export const processIo: Io = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  env: process.env,
  get stdin() {
    return process.stdin;
  },
  errIsTerminal: process.stderr.isTTY === true,
};

/** 0: yes. 1: the answer is no. 2: the question was wrong. */
export type ExitCode = 0 | 1 | 2;

/** A question that was put wrongly: exits with 2 after its message. */
export class UsageError extends Error {}

/** A message for the operator without a stack: exits with 1. */
export class CommandFailure extends Error {}
