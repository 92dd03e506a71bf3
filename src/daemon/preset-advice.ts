import { setImmediate } from 'node:timers/promises';
import { loadShippedPresets } from '../config/presets.ts';
import { Hints } from '../observe/hints.ts';
import type { Log } from '../observe/log.ts';
import { PresetHints, type PresetUse } from '../policy/preset-hint.ts';

/** Knows to which preset a refused host belongs, by the presets that come with sallyport and those of the policy. */
export class PresetAdvice {
  readonly hints: Hints;
  #presets: PresetUse;
  #shipped: ReturnType<typeof loadShippedPresets> | null = null;

  constructor(log: Log, presets: PresetUse) {
    this.hints = new Hints({ log });
    this.#presets = presets;
  }

  /** Reads the presets that come with sallyport, which nothing waits for, and tells from then on who belongs to which. */
  async follow(presets: PresetUse = this.#presets): Promise<void> {
    this.#presets = presets;
    // Read once: that takes 20 ms, and what is shipped does not change.
    this.#shipped ??= loadShippedPresets();
    const shipped = await this.#shipped;
    // An index takes 4 ms: it has a turn of the event loop to itself.
    await setImmediate();
    // A reload in between has the say.
    if (!shipped.ok || this.#presets !== presets) return;
    this.hints.use(new PresetHints(shipped.presets.values(), presets));
  }
}
