import { Counters } from '../../src/dataplane/counters.ts';
import type { CloseEvent, DecisionEvent, FlowEnd } from '../../src/dataplane/events.ts';
import { FlowTable, type FlowWire } from '../../src/dataplane/flow-table.ts';
import { makeGuard } from '../../src/dataplane/guard.ts';
import type { Listener } from '../../src/dataplane/listener.ts';
import type { OpeningLimits } from '../../src/dataplane/openings.ts';
import { SourceCounts } from '../../src/dataplane/source-counts.ts';
import type { Client, Endpoint, WireUser } from '../../src/dataplane/wire.ts';
import { TcpAddresses } from '../../src/policy/tcp-addresses.ts';
import { ip } from '../resolve/support.ts';
import {
  compiled,
  type FakeAttempt,
  FakeClock,
  FakeResolver,
  FakeWire,
  LISTENERS,
  NO_OPENING_LIMITS,
  openingsOf,
  SETTINGS,
  ZONE,
} from './support.ts';

/** A wire in a table; what the table says of its client stands in it. */
export class TableWire extends FakeWire implements FlowWire<FakeAttempt> {
  override client: Client;
  override originalDestination: Endpoint | null = null;
  user: WireUser | null = null;

  constructor(source: string) {
    super(null);
    this.client = { ip: ip(source), port: 50_000 };
  }

  attach(user: WireUser): void {
    this.user = user;
  }

  speakFor(client: Client, originalDestination: Endpoint | null): void {
    this.client = client;
    this.originalDestination = originalDestination;
  }

  abandon(end: FlowEnd): void {
    this.user?.abandon(end);
  }
}

/** A table of one worker with a clock that stands still, and what it wrote down. */
export function tableOf(
  {
    openings = NO_OPENING_LIMITS,
    ...limits
  }: { flowLimit?: number; flowsPerSource?: number; openings?: OpeningLimits },
  shared = { counters: Counters.create(2, 2), sources: SourceCounts.create(2).worker(0) },
) {
  const decisions: DecisionEvent[] = [];
  const closes: CloseEvent[] = [];
  const guard = makeGuard({ allow: [], deny: [] }, [{ ip: '203.0.113.1', port: 443 }]);
  const clock = new FakeClock();
  const table = new FlowTable<FakeAttempt>({
    world: {
      settings: SETTINGS,
      resolver: new FakeResolver(ZONE, address => guard.judge(address)),
      guard,
      clock,
      timers: clock.timers,
      openings: openingsOf(shared.counters, openings, shared.sources),
      observer: {
        decided: event => {
          decisions.push(event);
          return 'said';
        },
        closed: event => {
          closes.push(event);
        },
      },
      policy: () => compiled(),
      tcpAddresses: () => TcpAddresses.none(),
      nextFlowId: () => 'flow',
    },
    ...shared,
    own: shared.counters.worker(0),
    flowLimit: 100,
    flowsPerSource: 0,
    ...limits,
  });
  const serve = (source = '192.0.2.1', index = 0, listener: Listener = LISTENERS.sni): TableWire => {
    const wire = new TableWire(source);
    if (!table.admits(wire.client, listener)) return wire;
    table.serve(wire, listener, index);
    return wire;
  };
  return { table, serve, decisions, closes, clock, counters: shared.counters };
}
