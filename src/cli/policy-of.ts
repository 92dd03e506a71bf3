import { loadDaemonConfig, loadPolicy, type PolicyLoad } from '../config/load.ts';
import { type Options, textOption } from './command.ts';
import { DEFAULT_CONFIG } from './default-config.ts';
import type { Io } from './io.ts';
import { requireLoaded } from './require-loaded.ts';
import { readSurroundings } from './surroundings.ts';

/** Loads the policy that `--policy` names, or else the one of the default configuration. Throws CommandFailure. */
export async function loadNamedPolicy(options: Options, io: Io): Promise<Extract<PolicyLoad, { ok: true }>> {
  const named = textOption(options, 'policy');
  const file =
    named ?? requireLoaded(await loadDaemonConfig(DEFAULT_CONFIG), DEFAULT_CONFIG, io).config.policyPath;
  const { defaults } = await readSurroundings(io);
  return requireLoaded(await loadPolicy(file, Date.now(), defaults), file, io);
}
