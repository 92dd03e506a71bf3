import { loadDaemonConfig } from '../../config/load.ts';
import { Daemon } from '../../daemon/daemon.ts';
import { PolicyLoader } from '../../daemon/policy-loader.ts';
import { Surroundings } from '../../daemon/surroundings.ts';
import { ListenError } from '../../dataplane/data-plane.ts';
import { type RunCommand, textOption } from '../command.ts';
import { DEFAULT_CONFIG } from '../default-config.ts';
import { CommandFailure, type ExitCode } from '../io.ts';
import { requireLoaded } from '../require-loaded.ts';
import { readSurroundings } from '../surroundings.ts';

/** How long the workers may take to end after a fault, before the process ends without them. */
const FAULT_GRACE_MS = 1_000;

export const run: RunCommand = async (_args, options, io) => {
  // Unhandled, Node would open its inspector: a door into the process. That it was ignored is said once there is a log.
  process.on('SIGUSR1', () => {});
  const file = textOption(options, 'config') ?? DEFAULT_CONFIG;
  const { config } = requireLoaded(await loadDaemonConfig(file), file, io);
  const { ecs, defaults } = await readSurroundings(io);
  const loader = new PolicyLoader({ defaults });
  const policy = requireLoaded(await loader.loadFirst(config.policyPath), config.policyPath, io);
  const surroundings = await Surroundings.find({
    env: io.env,
    admin: config.admin,
    takesOver: options.takeOver === true,
  }).catch(failListening);
  return serve(new Daemon(config, policy, loader, ecs, surroundings));
};

function failListening(error: unknown): never {
  if (error instanceof ListenError) throw new CommandFailure(error.message, { cause: error });
  throw error;
}

/** Runs the daemon until a signal or a fault ends it. */
function serve(daemon: Daemon): Promise<ExitCode> {
  return new Promise((resolve, reject) => {
    const end = (code: ExitCode) => {
      daemon.log.flushSync();
      resolve(code);
    };
    const fail = once((error: unknown) => {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      daemon.log.error(`fatal: ${detail}`, { event: 'fatal' });
      setTimeout(() => end(1), FAULT_GRACE_MS);
      daemon.stop(0).finally(() => end(1));
    });
    process.on('uncaughtException', fail);
    process.on('unhandledRejection', fail);

    let trigger: NodeJS.Signals | 'take-over' | null = null;
    const drain = (why: NodeJS.Signals | 'take-over') => {
      // Who has started a successor may well send the signal as before.
      const isFirst = trigger === null || trigger === 'take-over' || why === 'take-over';
      if (!isFirst) return end(1);
      if (trigger === null) daemon.drain(why).then(() => end(0), fail);
      trigger = why;
    };
    process.on('SIGTERM', drain);
    process.on('SIGINT', drain);
    process.on('SIGHUP', () => void daemon.reload('SIGHUP'));
    process.on('SIGUSR1', () => daemon.log.info('SIGUSR1 is ignored', { event: 'signal' }));

    daemon
      .start(fail, () => drain('take-over'))
      .catch((error: unknown) => {
        if (!(error instanceof ListenError)) return fail(error);
        daemon.stop(0).finally(() => {
          daemon.log.flushSync();
          reject(new CommandFailure(error.message, { cause: error }));
        });
      });
  });
}

function once<T>(act: (value: T) => void): (value: T) => void {
  let isDone = false;
  return value => {
    if (isDone) return;
    isDone = true;
    act(value);
  };
}
