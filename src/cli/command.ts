import type { ExitCode, Io } from './io.ts';

/** The values of a command's options by their long name, as commander gives them. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export type RunCommand = (args: readonly string[], options: Options, io: Io) => Promise<ExitCode>;

/** A row of the command table, from which parsing, help and the README section come. */
export interface Command {
  readonly name: string;
  /** In commander's notation: `<needed>`, `[optional]`, `[many...]`. */
  readonly args?: string;
  readonly summary: string;
  /** What it does not do, and how it answers. */
  readonly details: string;
  readonly options: readonly Option[];
  readonly load: () => Promise<RunCommand>;
}

export interface Option {
  readonly flags: string;
  readonly description: string;
}

/** The value of an option that takes one; undefined when it was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The values of an option that takes several; empty when it was not given. */
export function listOption(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value : [];
}
