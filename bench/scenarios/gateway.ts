import type { Contestant } from '../proxies/contestant.ts';
import type { Table } from '../report/section.ts';
import { Rooms, roomsObstacle } from '../rooms.ts';
import { Stage } from '../stage.ts';
import { measureShortFlows } from './short-flows.ts';

/** Short flows that netfilter redirects to the proxy, between network namespaces. */
export function measureGateway(
  outer: Stage,
  contest: { proxies: readonly Contestant[]; isSerious: (proxy: Contestant) => boolean },
): Promise<Table[]> {
  const { options } = outer;
  const obstacle = roomsObstacle();
  if (obstacle !== null) {
    options.progress(`left out: ${obstacle}`);
    return Promise.resolve([{ caption: `Not measured: ${obstacle}.`, head: [''], rows: [] }]);
  }
  return outer.scope.within(async scope => {
    const rooms = new Rooms(scope);
    const stage = await Stage.set(scope, options, rooms.place);
    let n = 0;
    return measureShortFlows(stage, {
      ...contest,
      start: (acts, proxy) => {
        n++;
        const port = stage.freePort();
        const hosts = rooms.hosts(n);
        rooms.redirect(n, port);
        const backend = { host: hosts[0] ?? '', port: rooms.place.backendPort };
        return stage.start(acts, proxy, { hosts, port, dialPort: backend.port, backend });
      },
    });
  });
}
