import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chapters } from '../lab/chapters.ts';
import type { Intercept } from '../lab/gateway-config.ts';
import { reportRow } from '../lab/report.ts';
import { runRow } from '../lab/row.ts';
import { Town } from '../lab/town.ts';
import { labObstacle } from './lab.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The rows of `npm run lab` as tests. Each stands on those before it. Where no lab can be built they skip, and the name says why. */
export function describeLabRows(intercept: Intercept): void {
  const obstacle = labObstacle();
  const title = `a gateway by ${intercept}`;
  describe.skipIf(obstacle !== null)(
    obstacle === null ? title : `${title} (skipped: the network lab ${obstacle})`,
    () => {
      let town: Town;
      beforeAll(async () => {
        town = await Town.build({ intercept, root: ROOT });
      });
      afterAll(() => town?.close());
      for (const { title, rows } of chapters(intercept)) {
        describe(title, () => {
          for (const row of rows) {
            const { obstacle = null } = row;
            const name = obstacle === null ? row.tried : `${row.tried} (skipped: ${obstacle})`;
            it.skipIf(obstacle !== null)(name, async () => {
              const result = await runRow(row, town);
              expect(result.faults, reportRow(result)).toEqual([]);
            });
          }
        });
      }
    },
  );
}
