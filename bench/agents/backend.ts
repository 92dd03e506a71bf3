import { descriptorLimit } from '../../src/dataplane/descriptors.ts';
import { Acceptor } from '../../src/dataplane/epoll/acceptor.ts';
import { DescriptorGuard } from '../../src/dataplane/epoll/descriptor-guard.ts';
import { loadFfi } from '../../src/dataplane/epoll/libc.ts';
import { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { END_OF_STREAM, FAILED, Socket, type SocketOwner } from '../../src/dataplane/epoll/socket.ts';
import { localAddress, openListener } from '../../src/dataplane/epoll/sockets.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { Sink, Source } from '../load/bulk.ts';
import {
  benchAnswer,
  benchHello,
  COMMAND_BYTES,
  CONNECT_FIRST_BYTE,
  connectAnswer,
  decodeCommand,
  HEAD_END,
  receipt,
} from '../load/conversation.ts';

// The upstream of every run, on the address and port of its arguments: answers a CONNECT with 200, a hello with an
// answer, and a command behind the answer with bulk data.
const HELLO_BYTES = benchHello().length;
const ANSWER = benchAnswer();
const CONNECT_ANSWER = connectAnswer();
const RECEIPT = receipt();
const NOTHING = Buffer.alloc(0);
const MIB = 1024 * 1024;

class Session implements SocketOwner {
  readonly #socket: Socket;
  #expects: 'opening' | 'hello' | 'command' = 'opening';
  #held: Buffer = NOTHING;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.owner = this;
  }

  socketReady(): void {
    // Once a command is obeyed, the socket has another owner.
    while (this.#socket.readable && this.#socket.owner === this) {
      const count = this.#socket.read();
      if (count === FAILED || count === END_OF_STREAM) return this.#socket.close();
      if (count > 0) this.#take(loop.scratch.bytes.subarray(0, count));
    }
  }

  #take(bytes: Buffer): void {
    const held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const rest = this.#understand(held);
    this.#held = rest.length === 0 ? NOTHING : Buffer.from(rest);
  }

  /** Returns what it did not use. */
  #understand(bytes: Buffer): Buffer {
    if (this.#expects === 'opening' && bytes[0] === CONNECT_FIRST_BYTE) {
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) return bytes;
      this.#socket.write(CONNECT_ANSWER);
      this.#expects = 'hello';
      return bytes.subarray(end + HEAD_END.length);
    }
    if (this.#expects !== 'command') {
      if (bytes.length < HELLO_BYTES) return bytes;
      this.#socket.write(ANSWER);
      this.#expects = 'command';
      return bytes.subarray(HELLO_BYTES);
    }
    if (bytes.length < COMMAND_BYTES) return bytes;
    this.#obey(bytes);
    return NOTHING;
  }

  #obey(bytes: Buffer): void {
    const { direction, mib } = decodeCommand(bytes);
    const socket = this.#socket;
    const failed = () => socket.close();
    const owner =
      direction === 'down'
        ? new Source(socket, mib * MIB, { sent: () => this.#rest(), failed })
        : new Sink(loop, socket, mib * MIB - (bytes.length - COMMAND_BYTES), {
            received: () => {
              socket.write(RECEIPT);
              this.#rest();
            },
            failed,
          });
    socket.owner = owner;
    owner.socketReady();
  }

  /** Waits for the client to go, or for another command. */
  #rest(): void {
    this.#socket.owner = this;
    this.socketReady();
  }
}

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const address = IpAddress.parse(host);
if (address === null) throw new Error(`${host} is no address`);
const ffi = loadFfi();
const loop = new EventLoop(ffi);
const listener = openListener(ffi.libc, address, Number(port));
const descriptors = new DescriptorGuard(loop, descriptorLimit(), () => {});
new Acceptor(loop, listener, descriptors, fd => {
  const socket = new Socket(loop, fd, true);
  new Session(socket);
  socket.watch();
});
process.send?.({ port: localAddress(ffi.libc, listener).port });
setImmediate(() => {
  for (;;) loop.turn();
});
