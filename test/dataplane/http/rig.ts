import { createServer, type Server, Socket } from 'node:net';
import { systemClock } from '../../../src/dataplane/clock.ts';
import { Counters } from '../../../src/dataplane/counters.ts';
import type { Attempt } from '../../../src/dataplane/dial.ts';
import type { CloseEvent, DecisionEvent } from '../../../src/dataplane/events.ts';
import { makeGuard } from '../../../src/dataplane/guard.ts';
import { HttpFlows } from '../../../src/dataplane/http/http-flows.ts';
import type { HttpWorld } from '../../../src/dataplane/http/http-world.ts';
import type { Listener } from '../../../src/dataplane/listener.ts';
import type { OpeningLimits } from '../../../src/dataplane/openings.ts';
import { NodeAttempt } from '../../../src/dataplane/portable/node-attempt.ts';
import { nodeTimers } from '../../../src/dataplane/timers.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import type { Rule } from '../../../src/policy/rules.ts';
import { TcpAddresses } from '../../../src/policy/tcp-addresses.ts';
import type { Resolver } from '../../../src/resolve/resolver.ts';
import { rule } from '../../policy/reference.ts';
import { ip } from '../../resolve/support.ts';
import { Peer } from '../../support/peer.ts';
import type { Scope } from '../../support/scope.ts';
import { listenOn } from '../../support/upstream.ts';
import { compiled, FakeResolver, NO_OPENING_LIMITS, openingsOf } from '../support.ts';

/** Where names lead; the rig dials the test's servers in place of the addresses. */
const ZONE = {
  'allowed.example': ['198.51.100.7'],
  'other.example': ['198.51.100.9'],
  'a.wild.example': ['198.51.100.10'],
  'evil.example': ['198.51.100.66'],
  'meta.example': ['169.254.169.254'],
  'private.example': ['10.0.0.5'],
} as const;

/** Where a client of a transparent listener is going: none of the addresses above. */
const ORIGINAL = '198.51.100.200';

const RULES: readonly Rule[] = [
  rule('site', ['allowed.example', 'other.example', '*.wild.example', 'gone.example'], { ports: [80] }),
  rule('meta', ['meta.example', 'private.example'], { ports: [80] }),
];

export interface HttpRigOptions {
  readonly listener?: 'transparent' | 'explicit';
  readonly destination?: 'resolve' | 'verify' | 'original';
  readonly mode?: 'observe' | 'enforce';
  readonly settings?: Partial<HttpWorld['settings']>;
  /** Where clients of a transparent listener are going; null: to the listener itself. */
  readonly going?: string | null;
  /** Names that are not in the zone lead somewhere, too. */
  readonly wildcard?: boolean;
  /** Hands connections over before anything was read, as one does that has only peeked. */
  readonly unread?: boolean;
  /** Limits of connections whose request is awaited. */
  readonly openings?: OpeningLimits;
  /** In place of dialling a server. */
  readonly connect?: () => Attempt;
  /** Ports of the test's servers by the address that is dialled; `*` for all others. */
  readonly servers?: Readonly<Record<string, number>>;
}

export interface GivenBack {
  readonly text: string;
  readonly reason: string;
  readonly detail: string | null;
}

/** Hands connections to HttpFlows as a data plane does: the socket with the first bytes, already read. */
export class HttpRig {
  readonly flows: HttpFlows;
  readonly decided: DecisionEvent[] = [];
  readonly closed: CloseEvent[] = [];
  readonly givenBack: GivenBack[] = [];
  /** Addresses dialled, in order. */
  readonly dialed: string[] = [];
  readonly moved = { out: 0, in: 0 };
  readonly counters = Counters.create(1, 1);
  policy: Policy;
  over = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor(options: HttpRigOptions = {}) {
    const { mode = 'enforce', going = ORIGINAL, servers = {}, settings } = options;
    this.policy = compiled(RULES, { mode, observeUntilMs: null });
    const guard = makeGuard({ allow: [], deny: [] }, [{ ip: '203.0.113.1', port: 80 }]);
    let flows = 0;
    this.flows = new HttpFlows({
      settings: {
        helloTimeoutMs: 5_000,
        helloBytes: 16_384,
        dialTimeoutMs: 10_000,
        onDeny: 'alert',
        onPolicyChange: 'keep',
        idleTimeoutMs: 60_000,
        halfClosedTimeoutMs: 60_000,
        ...settings,
      },
      gateway: 'gw-1',
      resolver: options.wildcard ? everywhere : new FakeResolver(ZONE, address => guard.judge(address)),
      guard,
      clock: systemClock,
      timers: nodeTimers,
      openings: openingsOf(this.counters, options.openings ?? NO_OPENING_LIMITS),
      observer: {
        decided: event => {
          this.decided.push(event);
          return 'said';
        },
        closed: event => this.closed.push(event),
      },
      policy: () => this.policy,
      tcpAddresses: () => TcpAddresses.none(),
      nextFlowId: () => `flow-${flows++}`,
      connectFor: () => (address, port, settle) => {
        this.dialed.push(`${address}:${port}`);
        if (options.connect !== undefined) return { socket: new Socket(), ...options.connect() };
        const server = servers[address.toString()] ?? servers['*'] ?? 9;
        return new NodeAttempt(ip('127.0.0.1'), server, settle);
      },
      moved: (out, back) => {
        this.moved.out += out;
        this.moved.in += back;
      },
    });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      const listener: Listener =
        options.listener === 'explicit'
          ? { kind: 'explicit', name: 'proxy', gateway: 'gw-1' }
          : {
              kind: 'transparent',
              name: 'gw',
              destination: options.destination ?? 'resolve',
              intercept: 'redirect',
              keepsSource: false,
            };
      const client = { ip: ip('192.0.2.10'), port: socket.remotePort ?? 0 };
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      const handOver = (opening: Uint8Array) => {
        socket.pause();
        this.flows.serve({
          socket,
          opening,
          listener,
          client,
          originalDestination:
            options.listener === 'explicit' || going === null ? null : { ip: ip(going), port: 80 },
          giveBack: (bytes, { reason, detail }) => {
            this.givenBack.push({ text: Buffer.from(bytes).toString('latin1'), reason, detail });
            socket.destroy();
          },
          over: () => {
            this.over++;
          },
        });
      };
      if (options.unread) handOver(new Uint8Array(0));
      else socket.once('data', handOver);
    });
  }

  static async listen(options: HttpRigOptions = {}): Promise<HttpRig> {
    const rig = new HttpRig(options);
    rig.port = await listenOn(rig.#server);
    return rig;
  }

  /** The decisions, one line each: action, state, reason, rule; hostname, destination. */
  get decisions(): string[] {
    return this.decided.map(
      d =>
        `${d.action} ${d.state} ${d.reason ?? '-'} ${d.rule ?? '-'}; ${d.hostname ?? '-'} ${d.dstIp ?? '-'}:${d.dstPort}${d.detail === null ? '' : ` (${d.detail})`}`,
    );
  }

  dial(): Promise<Peer> {
    return Peer.dial(this.port);
  }

  /** Sends bytes on a new connection and returns all that comes back until the connection ends. */
  async ask(bytes: Uint8Array | string): Promise<string> {
    const peer = await this.dial();
    await peer.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    await peer.end();
    peer.socket.destroy();
    return peer.text;
  }

  async close(): Promise<void> {
    this.flows.drain();
    // What is idle ends by a FIN, before the rest is cut.
    await new Promise(resolve => setTimeout(resolve, 1));
    this.flows.cutAll('drained');
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

const everywhere: Resolver = {
  resolve: (_hostname, done) =>
    done({ ok: true, addresses: [{ ip: ip('198.51.100.20'), guard: 'ok' }], expiresMs: 0 }),
};

/** One that ends with `scope`. */
export async function startRig(scope: Scope, options: HttpRigOptions): Promise<HttpRig> {
  const rig = await HttpRig.listen(options);
  scope.defer(() => rig.close());
  return rig;
}
