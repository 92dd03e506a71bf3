import { type Doors, LIVES, type Life } from './lives.ts';

const FAULTS_KEPT = 20;

/** What the clients did of one kind, and what they saw. */
export interface Lived {
  readonly life: Life;
  /** Begun; each is a connection, whatever came of it. */
  count: number;
  /** Bytes of upstreams that came through. */
  received: number;
}

/** The clients: so many at a time, each of a kind that the seed picks. */
export class Crowd {
  readonly lived: readonly Lived[];
  /** What went otherwise than it must; the first ones. */
  readonly faults: string[] = [];
  faulty = 0;
  started = 0;
  ended = 0;
  readonly #doors: Doors;
  readonly #random: () => number;
  readonly #totalWeight: number;

  constructor(doors: Doors, dataplane: 'epoll' | 'portable', seed: number) {
    this.#doors = doors;
    this.#random = mulberry32(seed);
    this.lived = LIVES.filter(life => dataplane === 'epoll' || life.epollOnly !== true).map(life => ({
      life,
      count: 0,
      received: 0,
    }));
    this.#totalWeight = this.lived.reduce((sum, { life }) => sum + life.weight, 0);
  }

  /** Each kind once, one after the other but for those that wait for a timeout. */
  async each(): Promise<void> {
    await Promise.all(this.lived.map(lived => this.#live(lived)));
  }

  /** Lives until `flows` were begun in all, or `isOver`. */
  async run(flows: number, width: number, isOver: () => boolean): Promise<void> {
    const lane = async () => {
      while (this.started < flows && !isOver()) await this.#live(this.#pick());
    };
    await Promise.all(Array.from({ length: width }, lane));
  }

  async #live(lived: Lived): Promise<void> {
    this.started++;
    const turn = lived.count++;
    try {
      const received = await lived.life.play(this.#doors, turn);
      lived.received += received;
    } catch (error) {
      this.faulty++;
      if (this.faults.length < FAULTS_KEPT) this.faults.push(`${lived.life.name}: ${error}`);
    }
    this.ended++;
  }

  #pick(): Lived {
    let left = this.#random() * this.#totalWeight;
    const picked = this.lived.find(({ life }) => {
      left -= life.weight;
      return left < 0;
    });
    const [first] = this.lived;
    const lived = picked ?? first;
    if (lived === undefined) throw new Error('there are no lives');
    return lived;
  }
}

/** Uniform numbers from 0 to 1, the same for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
