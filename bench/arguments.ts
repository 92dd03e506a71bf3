import { type ParseArgsConfig, parseArgs } from 'node:util';

/** Wrong arguments; the message says what would be right. */
export class UsageError extends Error {}

/** Node's parser, with its complaints as UsageErrors. */
export function readArguments<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Throws UsageError. */
export function countArgument(flag: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new UsageError(`${flag} takes a whole number from 1 on`);
  return number;
}
