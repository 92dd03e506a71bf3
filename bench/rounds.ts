/**
 * Visits all of `items` once a round, each round beginning with another, so that nobody always comes after the same
 * predecessor (whose ports in TIME_WAIT and warm caches it inherits).
 */
export async function inRounds<T>(
  rounds: number,
  items: readonly T[],
  visit: (item: T, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < items.length; i++) {
      const item = items[(i + round) % items.length];
      if (item !== undefined) await visit(item, round + 1);
    }
  }
}
