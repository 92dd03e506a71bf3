import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Most tests wait for processes and sockets; vitest would leave a core unused, of two.
    maxWorkers: availableParallelism(),
    // Against hanging, with room for a machine that does other things beside.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
