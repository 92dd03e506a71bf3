import { connect } from 'node:net';
import { buildClientHello } from './client-hello.ts';

export interface StormResult {
  readonly connects: number;
  readonly answered: number;
  /** What became of those that got no answer, by error. */
  readonly failures: Readonly<Record<string, number>>;
}

/**
 * Clients that connect one after the other, `width` at a time: each says hello, waits for `answerBytes` of an answer,
 * and closes.
 */
export class ConnectStorm {
  readonly #port: number;
  readonly #answerBytes: number;
  readonly #lanes: Promise<void>[];
  readonly #failures: Record<string, number> = {};
  readonly #hello = buildClientHello();
  #connects = 0;
  #answered = 0;
  #isOver = false;
  #waiting: { readonly count: number; readonly resolve: () => void } | null = null;

  constructor(port: number, answerBytes: number, width = 16) {
    this.#port = port;
    this.#answerBytes = answerBytes;
    this.#lanes = Array.from({ length: width }, () => this.#lane());
  }

  /** Resolves when `count` more have been answered. */
  more(count: number): Promise<void> {
    return new Promise(resolve => {
      this.#waiting = { count: this.#answered + count, resolve };
    });
  }

  /** Lets the last ones end. */
  async end(): Promise<StormResult> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    return { connects: this.#connects, answered: this.#answered, failures: this.#failures };
  }

  async #lane(): Promise<void> {
    while (!this.#isOver) {
      this.#connects++;
      const failure = await this.#once();
      if (failure === null) this.#answered++;
      else this.#failures[failure] = (this.#failures[failure] ?? 0) + 1;
      if (this.#waiting !== null && this.#answered >= this.#waiting.count) this.#waiting.resolve();
    }
  }

  /** Null when it was answered. */
  #once(): Promise<string | null> {
    return new Promise(resolve => {
      const socket = connect({ port: this.#port, host: '127.0.0.1' });
      let received = 0;
      socket.on('connect', () => socket.write(this.#hello));
      socket.on('data', bytes => {
        received += bytes.length;
        if (received >= this.#answerBytes) socket.end();
      });
      socket.on('error', error => resolve('code' in error ? String(error.code) : error.message));
      socket.on('close', () => resolve(received >= this.#answerBytes ? null : 'closed without an answer'));
    });
  }
}
