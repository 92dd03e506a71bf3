import type { DataPlane, DataPlaneOptions } from '../dataplane/data-plane.ts';
import type { WorkerDeath } from '../dataplane/worker-death.ts';
import { type Report, Reporter, type ReporterSettings } from '../observe/reporter.ts';

export interface PlaneChoice {
  readonly kind: 'auto' | 'epoll' | 'portable';
  readonly workers: number;
  readonly reporter: ReporterSettings;
  readonly onReport: (report: Report) => void;
  /** Whether the program is still there to start a worker from. */
  readonly canRestart: () => boolean;
  readonly onWorkerDeath: (death: WorkerDeath) => void;
  /** The data plane has failed: it is not to be trusted any more. */
  readonly onFatal: (error: Error) => void;
  /** Hears why `auto` could not take epoll. */
  readonly onFallback: (cause: unknown) => void;
}

/** Starts the data plane that the configuration asks for; `auto` is epoll where it can be had. Throws ListenError. */
export async function startDataPlane(choice: PlaneChoice, options: DataPlaneOptions): Promise<DataPlane> {
  const { kind, workers, reporter, onReport, canRestart, onWorkerDeath, onFatal, onFallback } = choice;
  if (kind !== 'portable') {
    const { loadFfi } = await import('../dataplane/epoll/libc.ts');
    const ffi = attempt(loadFfi);
    if (ffi.ok || kind === 'epoll') {
      const { startEpollPlane } = await import('../dataplane/epoll/epoll-plane.ts');
      const program = new URL('./epoll-worker.js', import.meta.url);
      return startEpollPlane({
        ...options,
        workers,
        program,
        programSettings: reporter,
        reporter: new Reporter(reporter),
        onReport,
        canRestart,
        onWorkerDeath,
        onFatal,
      });
    }
    onFallback(ffi.error);
  }
  const { startPortablePlane } = await import('../dataplane/portable/portable-plane.ts');
  return startPortablePlane({ ...options, reporter: new Reporter(reporter), onReport });
}

function attempt(act: () => unknown): { ok: true } | { ok: false; error: unknown } {
  try {
    act();
    return { ok: true };
  } catch (error) {
    return { ok: false, error };
  }
}
