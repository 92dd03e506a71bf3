import { loadDaemonConfig } from '../config/load.ts';
import type { PlainExceptions } from '../dataplane/guard.ts';
import { type Options, textOption } from './command.ts';
import type { Io } from './io.ts';
import { requireLoaded } from './require-loaded.ts';

/** `destinations` of the daemon configuration that `--config` names; without one, the guard has no exceptions. */
export async function readDestinations(options: Options, io: Io): Promise<PlainExceptions> {
  const file = textOption(options, 'config');
  if (file === undefined) return { allow: [], deny: [] };
  return requireLoaded(await loadDaemonConfig(file), file, io).config.destinations;
}
