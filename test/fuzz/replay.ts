import { Scope } from '../support/scope.ts';
import type { Regression } from './regressions.ts';
import type { Target } from './target.ts';

/** Checks rows one after the other; each is told with what is wrong, null for nothing. */
export async function replayRows(
  rows: readonly Regression[],
  targets: readonly Target[],
  tell: (row: Regression, failure: string | null) => void,
): Promise<void> {
  for (const target of targets) {
    const own = rows.filter(row => row.target === target.name);
    if (own.length === 0) continue;
    const scope = new Scope();
    try {
      const { properties } = await target.open(scope);
      for (const row of own) {
        const property = properties.find(({ name }) => name === row.property);
        tell(
          row,
          property === undefined
            ? 'there is no such property'
            : await failureOf(() => property.replay(row.input)),
        );
      }
    } finally {
      await scope.close();
    }
  }
  for (const row of rows) {
    if (!targets.some(({ name }) => name === row.target)) tell(row, 'there is no such target');
  }
}

async function failureOf(act: () => Promise<void>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
