import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { soak } from './soak.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const FLOWS = 2_000;

describe.skipIf(process.platform !== 'linux')('two thousand flows of all kinds (Linux only)', () => {
  // Side by side: most of it is waiting for timeouts.
  it.concurrent.each(['epoll', 'portable'] as const)(
    '%s data plane: are the same to clients, records, metrics, upstreams and sites, and leave nothing behind',
    async dataplane => {
      const options = { flows: FLOWS, seconds: 60, seed: 7, dataplane, width: 32 };
      const result = await soak(options, MAIN, () => {});
      expect(result.findings).toEqual([]);
      expect(result.exitCode).toBe(0);
      for (const { life, count } of result.lived) expect(count, life.name).toBeGreaterThan(0);
      expect(result.policies.good).toBeGreaterThan(0);
    },
  );
});
