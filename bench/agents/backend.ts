import { Acceptor } from '../../src/dataplane/epoll/acceptor.ts';
import { loadFfi } from '../../src/dataplane/epoll/libc.ts';
import { EventLoop } from '../../src/dataplane/epoll/loop.ts';
import { END_OF_STREAM, FAILED, Socket, type SocketOwner } from '../../src/dataplane/epoll/socket.ts';
import { localAddress, openListener } from '../../src/dataplane/epoll/sockets.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { benchAnswer, benchCommand, benchHello, readCommand } from '../hello.ts';

// The upstream of every run: answers a hello, then sends as many MiB as the record behind the hello asks for, if any.
const HELLO_BYTES = benchHello().length;
const COMMAND_BYTES = benchCommand(0).length;
const ANSWER = benchAnswer();
const CHUNK = Buffer.alloc(256 * 1024, 0x78);

class Session implements SocketOwner {
  readonly #socket: Socket;
  #head = Buffer.alloc(0);
  #hasAnswered = false;
  #left = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.owner = this;
  }

  socketReady(): void {
    while (this.#socket.readable) {
      const count = this.#socket.read();
      if (count === FAILED || count === END_OF_STREAM) return this.#socket.close();
      if (count > 0) this.#take(count);
    }
    this.#send();
  }

  #take(count: number): void {
    if (this.#head.length < HELLO_BYTES + COMMAND_BYTES) {
      const room = HELLO_BYTES + COMMAND_BYTES - this.#head.length;
      this.#head = Buffer.concat([this.#head, loop.scratch.bytes.subarray(0, Math.min(count, room))]);
    }
    if (!this.#hasAnswered && this.#head.length >= HELLO_BYTES) {
      this.#hasAnswered = true;
      this.#socket.write(ANSWER);
    }
    if (this.#left === 0 && this.#head.length === HELLO_BYTES + COMMAND_BYTES) {
      this.#left = readCommand(this.#head.subarray(HELLO_BYTES)) * 1024 * 1024;
    }
  }

  #send(): void {
    while (this.#left > 0 && this.#socket.writable) {
      const sent = this.#socket.write(this.#left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, this.#left));
      if (sent === FAILED) return this.#socket.close();
      this.#left -= sent;
      if (this.#left === 0) this.#socket.finish();
    }
  }
}

const ffi = loadFfi();
const loop = new EventLoop(ffi);
const listener = openListener(ffi.libc, IpAddress.fromV4(0x7f000001), 0);
new Acceptor(loop, listener, fd => void new Session(new Socket(loop, fd)));
process.send?.({ port: localAddress(ffi.libc, listener).port });
setImmediate(() => {
  for (;;) loop.turn();
});
