/** A worker thread that ended without being told to. */
export interface WorkerDeath {
  readonly worker: number;
  readonly error: Error;
  /** Flows that were cut without a close record. */
  readonly unrecorded: number;
  /** When it is started again, in milliseconds from now; null: never. */
  readonly restartMs: number | null;
}
