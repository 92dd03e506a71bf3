import { formatDiagnostic } from '../config/diagnostics.ts';
import type { LoadFailure } from '../config/load.ts';
import { CommandFailure, type Io } from './io.ts';

/** Takes a load that went well. Prints the diagnostics of one that did not and throws CommandFailure. */
export function requireLoaded<L extends { readonly ok: true }>(
  load: L | LoadFailure,
  file: string,
  io: Io,
): L {
  if (load.ok) return load;
  for (const diagnostic of load.diagnostics) io.err(`${formatDiagnostic(diagnostic)}\n`);
  throw new CommandFailure(
    `${file} does not load (sallyport check ${file} says the same without starting anything)`,
  );
}
