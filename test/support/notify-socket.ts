import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as c from '../../src/dataplane/epoll/libc.ts';
import { encodeUnixAddress, UNIX_ADDRESS_BYTES } from '../../src/dataplane/epoll/unix-socket.ts';
import { until } from './until.ts';

const MAX_STATE_BYTES = 4_096;

/** The service manager's end of sd_notify(3): a datagram socket, as a file. */
export class NotifySocket {
  readonly path: string;
  /** What was said, oldest first. */
  readonly states: string[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-notify-'));
  readonly #libc: c.Libc;
  readonly #room: c.PinnedBuffer;
  readonly #fd: number;

  constructor() {
    const { libc, pin } = c.loadFfi();
    this.#libc = libc;
    this.#room = pin(MAX_STATE_BYTES);
    this.path = join(this.#directory, 'notify');
    this.#fd = libc.socket(c.AF_UNIX, c.SOCK_DGRAM | c.SOCK_CLOEXEC | c.SOCK_NONBLOCK, 0);
    const address = Buffer.alloc(UNIX_ADDRESS_BYTES);
    const length = encodeUnixAddress(this.path, address) ?? 0;
    if (libc.bind(this.#fd, address, length) < 0) throw new c.SystemCallError('bind', libc.errno());
  }

  /** Waits until a state was said that has `text` in it, and returns it. */
  async said(text: string): Promise<string> {
    let found: string | undefined;
    await until(`${text} is said`, () => {
      this.#read();
      found = this.states.find(state => state.includes(text));
      return found !== undefined;
    });
    return found ?? '';
  }

  close(): void {
    this.#libc.close(this.#fd);
    rmSync(this.#directory, { recursive: true });
  }

  #read(): void {
    const { address, bytes } = this.#room;
    for (;;) {
      const count = this.#libc.recv(this.#fd, address, bytes.length, 0);
      if (count <= 0) return;
      this.states.push(bytes.toString('utf8', 0, count));
    }
  }
}
