import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Lab, LabRoom } from './lab.ts';

const PROGRAM = fileURLToPath(new URL('./lab-wire.js', import.meta.url));

interface WireEvent {
  readonly ready?: true;
  readonly id?: number;
  readonly port?: number;
  readonly tag?: number;
  readonly hex?: string;
  readonly end?: 'fin' | 'reset';
  readonly sent?: true;
}

/** One end of a TCP connection in a room: what `Peer` is on this host. */
export class LabPeer {
  /** The client's port. */
  readonly port: number;
  readonly #order: (order: object) => void;
  readonly #changed: () => Promise<void>;
  #bytes = Buffer.alloc(0);
  #end: 'fin' | 'reset' | null = null;
  #sent = 0;
  #toSend = 0;

  constructor(port: number, order: (order: object) => void, changed: () => Promise<void>) {
    this.port = port;
    this.#order = order;
    this.#changed = changed;
  }

  get received(): number {
    return this.#bytes.length;
  }

  /** Takes what the room says of this connection. */
  hear({ hex, end, sent }: WireEvent): void {
    if (hex !== undefined) this.#bytes = Buffer.concat([this.#bytes, Buffer.from(hex, 'hex')]);
    if (sent) this.#sent++;
    this.#end ??= end ?? null;
  }

  /** Writes and waits until the kernel has taken it, or until the connection is over. */
  async send(bytes: Uint8Array): Promise<void> {
    const count = ++this.#toSend;
    this.#order({ send: Buffer.from(bytes).toString('hex') });
    while (this.#sent < count && this.#end === null) await this.#changed();
  }

  /** Half-closes. */
  finish(): void {
    this.#order({ finish: true });
  }

  /** Waits for `count` bytes in all. Rejects when the other side ends before. */
  async atLeast(count: number): Promise<Buffer> {
    while (this.received < count && this.#end === null) await this.#changed();
    if (this.received < count) throw new Error(`${this.#end} after ${this.received} of ${count} bytes`);
    return this.#bytes;
  }

  /** Waits until the other side has ended, and says how. */
  async end(): Promise<'fin' | 'reset'> {
    for (;;) {
      if (this.#end !== null) return this.#end;
      await this.#changed();
    }
  }
}

/** Raw TCP connections from or to a room of a lab. They end with the lab. */
export class LabWire {
  /** In order of arrival. */
  readonly peers: LabPeer[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  /** Dials in the order of their orders. */
  readonly #byTag = new Map<number, LabPeer>();
  #dialled = 0;
  #isReady = false;
  #fault: Error | null = null;
  #errors = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stderr.on('data', chunk => {
      this.#errors += chunk;
    });
    child.stdin.on('error', () => {});
    createInterface(child.stdout).on('line', line => this.#hear(JSON.parse(line)));
    child.on('close', () => this.#fail(new Error(`the wire of the lab has ended: ${this.#errors}`)));
  }

  /** A server; `peers` are its connections. */
  static listen(lab: Lab, room: LabRoom, address: string, port: number): Promise<LabWire> {
    return LabWire.#start(lab, room, ['listen', address, String(port)]);
  }

  /** A client; `dial` makes connections. */
  static client(lab: Lab, room: LabRoom): Promise<LabWire> {
    return LabWire.#start(lab, room, ['dial']);
  }

  static async #start(lab: Lab, room: LabRoom, args: readonly string[]): Promise<LabWire> {
    const wire = new LabWire(lab.spawn(room, process.execPath, [PROGRAM, ...args]));
    while (!wire.#isReady) await wire.#changed();
    return wire;
  }

  async dial(address: string, port: number): Promise<LabPeer> {
    const tag = this.#dialled++;
    this.#order({ dial: [address, port], tag });
    for (;;) {
      const peer = this.#byTag.get(tag);
      if (peer !== undefined) return peer;
      await this.#changed();
    }
  }

  /** The `index`th connection, once it is there. */
  async peer(index: number): Promise<LabPeer> {
    for (;;) {
      const peer = this.peers[index];
      if (peer !== undefined) return peer;
      await this.#changed();
    }
  }

  #hear(event: WireEvent): void {
    const { id, port, ready, tag } = event;
    if (ready) this.#isReady = true;
    else if (port !== undefined) {
      const peer = new LabPeer(
        port,
        order => this.#order({ id, ...order }),
        () => this.#changed(),
      );
      this.peers.push(peer);
      if (tag !== undefined) this.#byTag.set(tag, peer);
    } else if (id !== undefined) this.peers[id]?.hear(event);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #order(order: object): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  #changed(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#fault === null) this.#waiting.push({ resolve, reject });
      else reject(this.#fault);
    });
  }

  #fail(fault: Error): void {
    this.#fault = fault;
    for (const { reject } of this.#waiting.splice(0)) reject(fault);
  }
}
