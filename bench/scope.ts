type Cleanup = () => unknown;

/** What has been started and must be ended, latest first; once, whoever asks for it and however often. */
export class Scope {
  readonly #cleanups: Cleanup[] = [];
  #closing: Promise<void> | null = null;

  /** What comes after the end is undone at once. */
  add(cleanup: Cleanup): void {
    if (this.#closing === null) this.#cleanups.push(cleanup);
    else void cleanup();
  }

  /** Undoes everything; a cleanup that fails does not keep the others. Rejects with the first failure. */
  close(): Promise<void> {
    this.#closing ??= this.#undo();
    return this.#closing;
  }

  /** Runs `work` with a scope inside this one, which is closed when the work is done, or with this one before. */
  async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const inner = new Scope();
    this.add(() => inner.close());
    try {
      return await work(inner);
    } finally {
      await inner.close();
    }
  }

  async #undo(): Promise<void> {
    let failure: unknown;
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}
