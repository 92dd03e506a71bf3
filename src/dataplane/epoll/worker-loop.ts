import { Policy } from '../../policy/policy.ts';
import { TcpAddresses } from '../../policy/tcp-addresses.ts';
import { CachingResolver } from '../../resolve/caching-resolver.ts';
import { Counters } from '../counters.ts';
import { descriptorLimit } from '../descriptors.ts';
import { flowIds } from '../flow-id.ts';
import { FlowTable } from '../flow-table.ts';
import { makeGuard } from '../guard.ts';
import type { Listener } from '../listener.ts';
import { Openings } from '../openings.ts';
import { type FlowReporter, Reporting } from '../reporting.ts';
import { SourceCounts } from '../source-counts.ts';
import type { Endpoint } from '../wire.ts';
import type { World } from '../world.ts';
import { Acceptor } from './acceptor.ts';
import type { ConnectAttempt } from './connector.ts';
import { DescriptorGuard } from './descriptor-guard.ts';
import { EpollWire } from './epoll-wire.ts';
import { FdLedger, recorded } from './fd-ledger.ts';
import type { Ffi } from './libc.ts';
import { EventLoop } from './loop.ts';
import { Mailbox, type MessagePipe } from './mailbox.ts';
import type { WorkerSetup } from './messages.ts';
import { PipePool } from './pipe-pool.ts';
import { ReadAhead } from './read-ahead.ts';
import type { RelayContext } from './relay-context.ts';
import { Socket } from './socket.ts';
import { localAddress, originalDestination, resetOnClose, type SocketAddress } from './sockets.ts';

/** Names that a worker waits for at one time. */
const MAX_QUESTIONS = 16_384;

/** One data plane thread: accepts on its own listening sockets and serves its own flows. */
export class WorkerLoop<R> {
  readonly #setup: WorkerSetup;
  readonly #loop: EventLoop;
  readonly #context: RelayContext;
  readonly #mailbox: Mailbox<R>;
  readonly #reporting: Reporting<R>;
  readonly #acceptors: Acceptor[];
  readonly #flows: FlowTable<ConnectAttempt>;
  readonly #world: World;
  readonly #ahead = new ReadAhead();
  #policy: Policy;
  #tcpAddresses: TcpAddresses;
  #draining = false;

  constructor({ libc, pin }: Ffi, setup: WorkerSetup, messages: MessagePipe<R>, reporter: FlowReporter<R>) {
    this.#setup = setup;
    const descriptors = new FdLedger(setup.descriptors);
    this.#loop = new EventLoop({ pin, libc: recorded(libc, descriptors) });
    this.#policy = Policy.from(setup.policy);
    this.#tcpAddresses = TcpAddresses.from(setup.tcpAddresses);
    const counters = Counters.view(setup.counters, setup.listeners.length);
    const own = counters.worker(setup.index);
    this.#context = {
      loop: this.#loop,
      pipes: new PipePool(this.#loop.ffi.libc),
      idleTimeoutMs: setup.settings.idleTimeoutMs,
      halfClosedTimeoutMs: setup.settings.halfClosedTimeoutMs,
      moved: own.moved,
      handOver: (connection, done) => {
        descriptors.remove(connection.fd);
        this.#mailbox.handOver(connection, done);
      },
    };
    this.#mailbox = new Mailbox(this.#loop, setup.wakeFd, messages, {
      policy: buffer => {
        this.#policy = Policy.from(buffer);
        this.#flows.policyChanged();
      },
      tcpAddresses: buffer => {
        this.#tcpAddresses = TcpAddresses.from(buffer);
      },
      drain: hasSuccessor => this.#drain(hasSuccessor),
      abandon: () => this.#abandon(),
    });
    this.#reporting = new Reporting(reporter, this.#loop.timers, report => this.#mailbox.report(report));
    this.#world = {
      settings: setup.settings,
      resolver: new CachingResolver(this.#mailbox, {
        now: () => this.#loop.nowMs,
        // The main thread has the say: this bounds memory only.
        maxPending: MAX_QUESTIONS,
      }),
      guard: makeGuard(setup.guard, setup.ownListeners),
      clock: this.#loop,
      timers: this.#loop.timers,
      observer: this.#reporting,
      openings: new Openings(
        { counters, own, sources: SourceCounts.view(setup.awaited, setup.threads).worker(setup.index) },
        setup.openings,
      ),
      policy: () => this.#policy,
      tcpAddresses: () => this.#tcpAddresses,
      nextFlowId: flowIds(setup.flowIdPrefix),
    };
    this.#flows = new FlowTable({
      world: this.#world,
      counters,
      own,
      sources: SourceCounts.view(setup.sources, setup.threads).worker(setup.index),
      flowLimit: setup.flowLimit,
      flowsPerSource: setup.flowsPerSource,
    });
    const guard = new DescriptorGuard(this.#loop, descriptorLimit(), report =>
      this.#mailbox.descriptors(report),
    );
    this.#acceptors = setup.listeners.flatMap(({ fds, areKept, listener }, index) =>
      fds.map(fd => {
        const accepted = (socket: number, client: SocketAddress) =>
          this.#accept(socket, client, listener, index);
        return new Acceptor(this.#loop, fd, guard, accepted, areKept);
      }),
    );
  }

  /** Serves until drained, or until the process ends. What throws here ends the thread, and its flows with a record. */
  run(): void {
    try {
      this.#serve();
    } catch (fault) {
      this.#tellOfFlows();
      throw fault;
    }
    this.#reporting.finish();
    this.#mailbox.drained();
  }

  #serve(): void {
    const stop = new Int32Array(this.#setup.stop);
    this.#mailbox.serving();
    while (Atomics.load(stop, 0) === 0 && (!this.#draining || this.#flows.size > 0)) this.#loop.turn();
  }

  /** After a fault: as many of the flows' records as can be had. The main thread sees to their descriptors. */
  #tellOfFlows(): void {
    try {
      this.#flows.abandonAll('worker_died');
    } catch {
      // What broke the loop may well break a flow: the first fault is the one to tell of.
    }
    this.#reporting.finish();
  }

  #accept(fd: number, client: SocketAddress, listener: Listener, index: number): void {
    if (!this.#flows.admits(client, listener)) {
      resetOnClose(this.#loop.ffi.libc, fd);
      return this.#loop.close(fd);
    }
    const isTransparent = listener.kind === 'transparent';
    const destination = isTransparent ? this.#destinationOf(fd, client, listener.intercept) : null;
    const socket = new Socket(this.#loop, fd, true);
    const keepsSource = isTransparent && listener.keepsSource;
    const wire = new EpollWire(this.#context, socket, client, destination, index, keepsSource);
    this.#flows.serve(wire, listener, index);
    wire.begin(this.#ahead);
  }

  /**
   * Where an intercepted client was going; null for one that came to a listener of ours, which would be a loop. Besides
   * the addresses that the system lists, the socket's own tells: those of interfaces without carrier, and blocks routed
   * `local`, are in no list.
   */
  #destinationOf(fd: number, client: Endpoint, intercept: 'redirect' | 'tproxy'): Endpoint | null {
    const { libc } = this.#loop.ffi;
    const here = localAddress(libc, fd);
    const destination = intercept === 'tproxy' ? here : originalDestination(libc, fd, client.ip.family);
    if (destination === null || this.#world.guard.isOwn(destination.ip, destination.port)) return null;
    if (intercept === 'tproxy') return destination;
    return here.port === destination.port && here.ip.equals(destination.ip) ? null : destination;
  }

  #drain(hasSuccessor: boolean): void {
    this.#draining = true;
    for (const acceptor of this.#acceptors) acceptor.close(hasSuccessor);
  }

  /** After what a drain in the same turn still takes. */
  #abandon(): void {
    this.#loop.soon(() => this.#flows.abandonAll('drained'));
  }
}
