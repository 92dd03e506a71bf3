import { describe, expect, it } from 'vitest';
import { checkoutUrl } from '../support/checkout.ts';
import { readRegressions } from './regressions.ts';
import { replayRows } from './replay.ts';
import { runTarget } from './run-target.ts';
import { TARGETS } from './targets.ts';

/** A run that is always the same; `npm run fuzz` takes others, and longer. */
const SEED = 20_261_121;

describe('what was found once, here or in other filters, stays mended', () => {
  const rows = readRegressions(checkoutUrl('test/fixtures/regressions.jsonl'));

  it(`${rows.length} regressions hold`, async () => {
    const failures: unknown[] = [];
    let told = 0;
    await replayRows(rows, TARGETS, (row, failure) => {
      told++;
      if (failure !== null) failures.push({ ...row, failure });
    });
    expect(failures).toEqual([]);
    expect(told).toBe(rows.length);
  });
});

describe('a short run with a fixed seed finds nothing', () => {
  it.each(TARGETS)('$name: $summary', async target => {
    const report = await runTarget(target, {
      seed: SEED,
      seconds: Number.POSITIVE_INFINITY,
      runs: target.shortRuns,
    });
    expect(report.findings).toEqual([]);
    // A property that had nothing to say of any input has tested nothing.
    for (const { property, telling } of report.properties) expect(telling, property).toBeGreaterThan(0);
  });
});
