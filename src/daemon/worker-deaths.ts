import type { WorkerDeath } from '../dataplane/worker-death.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';

/** Says that a worker of the data plane died, what of, and what becomes of it. */
export function workerDeaths(log: Log, metrics: Metrics): (death: WorkerDeath) => void {
  return ({ worker, error, unrecorded, restartMs }) => {
    if (restartMs !== null) metrics.workerRestarted();
    const next = restartMs === null ? 'it is not started again' : `it is started again in ${restartMs} ms`;
    log.error(
      `data plane worker ${worker} died, its flows are cut, ${next}: ${error.stack ?? error.message}`,
      {
        event: 'worker_died',
        worker,
        unrecorded,
        restart_ms: restartMs,
      },
    );
  };
}
