import { type DescriptorReport, descriptorLimit, descriptorMarks, openDescriptors } from '../descriptors.ts';

/** Descriptors are counted so often while clients come, */
const COUNTED_MS = 5;
/** so often while they are refused, */
const PAUSED_LOOK_MS = 100;
/** and so often otherwise: others use descriptors, too, and without any node:net tells nobody that it sheds clients. */
const LOOK_MS = 1_000;

/**
 * Keeps the process from using its last descriptors. node:net cannot leave clients in the kernel's queue: above the mark
 * they are reset.
 */
export class PortableDescriptors {
  readonly #marks = descriptorMarks(descriptorLimit());
  readonly #tell: (report: DescriptorReport) => void;
  #isPaused = false;
  #shed = 0;
  #open = 0;
  #countedMs = Number.NEGATIVE_INFINITY;
  #look: NodeJS.Timeout | null = null;

  constructor(tell: (report: DescriptorReport) => void) {
    this.#tell = tell;
    this.#lookEvery(LOOK_MS);
  }

  /** Whether one more connection, which was accepted, may stay. */
  admits(): boolean {
    // A burst within the time of one count adds to it.
    this.#open++;
    if (performance.now() - this.#countedMs >= COUNTED_MS) this.#count();
    if (!this.#isPaused) return true;
    this.#shed++;
    return false;
  }

  stop(): void {
    if (this.#look !== null) clearInterval(this.#look);
  }

  #count(): void {
    this.#countedMs = performance.now();
    this.#open = openDescriptors();
    const { pauseAt, resumeAt } = this.#marks;
    const isPaused = this.#open >= pauseAt || (this.#isPaused && this.#open > resumeAt);
    if (isPaused === this.#isPaused && this.#shed === 0) return;
    if (isPaused !== this.#isPaused) this.#lookEvery(isPaused ? PAUSED_LOOK_MS : LOOK_MS);
    this.#isPaused = isPaused;
    this.#tell({ isPaused, shed: this.#shed });
    this.#shed = 0;
  }

  #lookEvery(delayMs: number): void {
    this.stop();
    this.#look = setInterval(() => this.#count(), delayMs);
    this.#look.unref();
  }
}
