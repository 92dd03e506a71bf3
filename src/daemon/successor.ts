import { randomBytes, timingSafeEqual } from 'node:crypto';

export type Passed = { readonly ok: true } | { readonly ok: false; readonly error: string };

/**
 * Our end of a take-over: passes the listening sockets to a process of the same user, and a key that proves later that
 * it is this process that wants us to retire.
 */
export class Successor {
  #key: Buffer | null = null;

  /** `path`: the abstract unix socket at which it waits. */
  async pass(path: string, descriptors: readonly number[]): Promise<Passed> {
    try {
      await this.#send(path, descriptors);
      return { ok: true };
    } catch (error) {
      return { ok: false, error: `the sockets cannot be passed: ${error}` };
    }
  }

  /** Whether this key went to whom we passed the sockets last. */
  has(key: string): boolean {
    const theirs = Buffer.from(key);
    return this.#key !== null && theirs.length === this.#key.length && timingSafeEqual(theirs, this.#key);
  }

  /** Throws when nobody waits there, or another user. */
  async #send(path: string, descriptors: readonly number[]): Promise<void> {
    const [{ loadFfi }, { sendDescriptors }] = await Promise.all([
      import('../dataplane/epoll/libc.ts'),
      import('../dataplane/epoll/socket-passing.ts'),
    ]);
    const key = randomBytes(16).toString('hex');
    sendDescriptors(loadFfi(), path, descriptors, key);
    this.#key = Buffer.from(key);
  }
}
