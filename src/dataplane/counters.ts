const OUT = 0;
const IN = 1;
const OPEN = 2;

/**
 * Live numbers that every data plane worker writes and the main thread reads at any time: bytes relayed and open flows
 * per listener, and those of them whose opening is awaited. Each worker has cells of its own in one shared buffer, so a
 * count costs no lock and no message.
 */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array;
  readonly #listeners: number;

  private constructor(buffer: SharedArrayBuffer, listeners: number) {
    this.buffer = buffer;
    this.#cells = new Float64Array(buffer);
    this.#listeners = listeners;
  }

  static create(workers: number, listeners: number): Counters {
    const cells = workers * width(listeners);
    return new Counters(new SharedArrayBuffer(cells * Float64Array.BYTES_PER_ELEMENT), listeners);
  }

  /** A view of the same numbers in another thread. */
  static view(buffer: SharedArrayBuffer, listeners: number): Counters {
    return new Counters(buffer, listeners);
  }

  /** The cells of one worker, for it alone to write. */
  worker(index: number): WorkerCounters {
    const cells = this.#cells.subarray(index * width(this.#listeners), (index + 1) * width(this.#listeners));
    const awaited = OPEN + this.#listeners;
    return {
      moved: (out, back) => {
        cells[OUT] = (cells[OUT] ?? 0) + out;
        cells[IN] = (cells[IN] ?? 0) + back;
      },
      opened: listener => {
        cells[OPEN + listener] = (cells[OPEN + listener] ?? 0) + 1;
      },
      closed: listener => {
        cells[OPEN + listener] = (cells[OPEN + listener] ?? 0) - 1;
      },
      awaited: more => {
        cells[awaited] = (cells[awaited] ?? 0) + more;
      },
    };
  }

  /** A worker is no more: it has no open flows. What it relayed stays counted. */
  forget(index: number): void {
    const step = width(this.#listeners);
    this.#cells.fill(0, index * step + OPEN, (index + 1) * step);
  }

  /** Open flows of one worker. */
  openFlowsOf(index: number): number {
    const first = index * width(this.#listeners) + OPEN;
    return this.#cells.subarray(first, first + this.#listeners).reduce((sum, open) => sum + open, 0);
  }

  bytes(): { out: number; in: number } {
    return { out: this.#sum(OUT), in: this.#sum(IN) };
  }

  openFlows(listener: number): number {
    return this.#sum(OPEN + listener);
  }

  allOpenFlows(): number {
    let open = 0;
    for (let listener = 0; listener < this.#listeners; listener++) open += this.openFlows(listener);
    return open;
  }

  /** Open flows whose opening is awaited. */
  allAwaited(): number {
    return this.#sum(OPEN + this.#listeners);
  }

  #sum(cell: number): number {
    const step = width(this.#listeners);
    let sum = 0;
    for (let at = cell; at < this.#cells.length; at += step) sum += this.#cells[at] ?? 0;
    return sum;
  }
}

export interface WorkerCounters {
  moved(bytesOut: number, bytesIn: number): void;
  opened(listener: number): void;
  closed(listener: number): void;
  /** So many more are awaited, or less. */
  awaited(more: number): void;
}

/** Cells of one worker. */
function width(listeners: number): number {
  return OPEN + listeners + 1;
}
