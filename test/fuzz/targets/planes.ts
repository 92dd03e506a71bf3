import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { TestDaemon } from '../../support/daemon.ts';
import { startEgress } from '../../support/egress.ts';
import { Upstream } from '../../support/upstream.ts';
import { type Performance, perform } from '../planes/perform.ts';
import { type Script, scripts } from '../planes/script.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

/** Kernel and scheduler have a say in who is first: what differs by what was sent differs every time. */
const ENCORES = 2;

/** Both data planes, each in a daemon of its own, under the same script over real sockets. */
export const planes: Target = {
  name: 'planes',
  summary:
    'epoll beside portable: the same bytes, half-closes and resets give the same bytes, ends and records',
  shortRuns: 12,
  open: async scope => {
    if (process.platform !== 'linux')
      return { properties: [], missing: ['the epoll data plane needs Linux'] };
    const sides: { readonly daemon: TestDaemon; readonly upstream: Upstream }[] = [];
    for (const dataplane of ['epoll', 'portable'] as const) {
      const upstream = await Upstream.listen();
      scope.defer(() => upstream.close());
      const limits = { helloTimeout: '300ms' };
      const daemon = await startEgress({
        dataplane,
        upstreamPort: upstream.port,
        limits,
        config: { workers: 1 },
      });
      scope.defer(() => daemon.kill());
      sides.push({ daemon, upstream });
    }
    const play = async (script: Script) => {
      // Both to their ends, also where one fails: the next script must meet nobody.
      const [epoll, portable] = await Promise.allSettled(
        sides.map(async ({ daemon, upstream }) => {
          // Ports come again, and with them the records of older flows.
          daemon.lines.splice(1);
          const performance = await perform(script, daemon, upstream);
          assert.deepEqual(daemon.otherOutput, []);
          return performance;
        }),
      );
      return [outcomeOf(epoll), outcomeOf(portable)];
    };
    const alike = property('a flow is the same on both data planes', scripts, async script => {
      for (let encore = ENCORES; ; encore--) {
        const [epoll, portable] = await play(script);
        if (isDeepStrictEqual(epoll, portable)) return undefined;
        if (encore === 0) assert.deepEqual(epoll, portable);
      }
    });
    return { properties: [alike], missing: [] };
  },
};

/** Each side has an upstream of its own, and so another port. Throws where the script could not be played. */
function outcomeOf(played: PromiseSettledResult<Performance> | undefined): unknown {
  if (played?.status !== 'fulfilled') throw played?.reason;
  return JSON.parse(JSON.stringify(played.value), (key, value) => (key === 'dst_port' ? undefined : value));
}
