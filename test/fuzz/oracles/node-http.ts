import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import type { HttpRequestHead } from '../../../src/sniff/http-request.ts';
import type { Scope } from '../../support/scope.ts';

/** A connection that brings the given bytes and swallows the answer. */
class Said extends Duplex {
  constructor(bytes: Uint8Array) {
    super();
    this.push(bytes);
    // Else a parser that waits for more is waited for without end.
    this.push(null);
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

/** The parser of node:http (llhttp), which frames requests in the data planes. */
export class NodeHttp {
  readonly #server: Server;
  #settle: (head: HttpRequestHead | null) => void = () => {};

  private constructor() {
    this.#server = createServer();
    this.#server.on('request', request => this.#settle(headOf(request)));
    this.#server.on('upgrade', request => this.#settle(headOf(request)));
    this.#server.on('checkContinue', request => this.#settle(headOf(request)));
    this.#server.on('checkExpectation', request => this.#settle(headOf(request)));
    this.#server.on('connect', request => this.#settle(headOf(request)));
    this.#server.on('clientError', () => this.#settle(null));
  }

  static open(scope: Scope): NodeHttp {
    const node = new NodeHttp();
    scope.defer(() => node.#server.close());
    return node;
  }

  /** The first request in `bytes`, which hold a whole head; null where it is refused. */
  async read(bytes: Uint8Array): Promise<HttpRequestHead | null> {
    const connection = new Said(bytes);
    try {
      return await new Promise(resolve => {
        this.#settle = resolve;
        connection.once('close', () => resolve(null));
        this.#server.emit('connection', connection);
      });
    } finally {
      connection.destroy();
    }
  }
}

function headOf(request: IncomingMessage): HttpRequestHead {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  const headers = Array.from({ length: rawHeaders.length / 2 }, (_, i) => {
    return [rawHeaders[2 * i] ?? '', rawHeaders[2 * i + 1] ?? ''] as const;
  });
  return { method, target: url, version: httpVersion, headers };
}
