import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describePlanes } from '../support/planes.ts';
import { soak } from './soak.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const FLOWS = 2_000;

describePlanes('two thousand flows of all kinds', dataplane => {
  it.skipIf(process.platform !== 'linux')(
    'are the same to clients, records, metrics, upstreams and sites, and leave nothing behind (Linux only)',
    { timeout: 150_000 },
    async () => {
      const options = { flows: FLOWS, seconds: 60, seed: 7, dataplane, width: 32 };
      const result = await soak(options, MAIN, () => {});
      expect(result.findings).toEqual([]);
      expect(result.exitCode).toBe(0);
      for (const { life, count } of result.lived) expect(count, life.name).toBeGreaterThan(0);
      expect(result.policies.good).toBeGreaterThan(0);
    },
  );
});
