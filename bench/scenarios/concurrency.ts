import { median } from '../measure/statistics.ts';
import type { Contestant } from '../proxies/contestant.ts';
import { figure, type Table } from '../report/section.ts';
import { inRounds } from '../rounds.ts';
import type { Stage } from '../stage.ts';

const CONCURRENCIES = [1, 10, 100, 1_000, 5_000];

/** Flows a second in closed loop, from one flow at a time to thousands. */
export function measureConcurrency(stage: Stage, proxies: readonly Contestant[]): Promise<Table[]> {
  return stage.scope.within(async scope => {
    const { rounds } = stage.extent;
    const players = [{ name: 'no proxy', running: null, target: stage.direct('hello') }];
    const proxied = [];
    for (const proxy of stage.cast(proxies)) {
      const running = await stage.start(scope, proxy);
      proxied.push({ name: proxy.name, running, target: running.target });
    }
    const all = [...players, ...proxied].map(who => ({ ...who, rates: new Map<number, number[]>() }));
    await inRounds(rounds, all, async ({ name, running, target, rates }, round) => {
      stage.progress(`${name}: round ${round} of ${rounds}`);
      await stage.load.flows({ type: 'closed', target, flows: stage.size(5_000, 100), concurrency: 64 });
      for (const concurrency of CONCURRENCIES) {
        const flows = stage.size(concurrency < 100 ? 5_000 : 15_000, Math.max(400, concurrency));
        const { result } = await stage.watch(running, () =>
          stage.load.flows({ type: 'closed', target, flows, concurrency }),
        );
        if (result.failed > 0) throw new Error(`${name}: ${result.failed} of ${flows} flows failed`);
        const values = rates.get(concurrency) ?? [];
        values.push(result.flows / result.seconds);
        rates.set(concurrency, values);
      }
    });
    return [
      {
        caption: 'Flows a second, by flows at a time. The last column is the last figure over the largest.',
        head: ['', ...CONCURRENCIES.map(String), 'kept'],
        rows: all.map(({ name, rates }) => {
          const columns = CONCURRENCIES.map(concurrency => rates.get(concurrency) ?? []);
          const kept = median(columns.at(-1) ?? []) / Math.max(...columns.map(median));
          return [name, ...columns.map(values => figure(values, 0)), `${(kept * 100).toFixed(0)} %`];
        }),
      },
    ];
  });
}
