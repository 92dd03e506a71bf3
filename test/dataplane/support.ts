import type { Clock } from '../../src/dataplane/clock.ts';
import { Counters } from '../../src/dataplane/counters.ts';
import type { Attempt } from '../../src/dataplane/dial.ts';
import type { CloseEvent, DecisionEvent, DialFailure, FlowEnd } from '../../src/dataplane/events.ts';
import { Flow } from '../../src/dataplane/flow.ts';
import { makeGuard, type PlainEndpoint } from '../../src/dataplane/guard.ts';
import type { DestinationMode, Listener } from '../../src/dataplane/listener.ts';
import { type OpeningLimits, Openings } from '../../src/dataplane/openings.ts';
import type { WorkerSources } from '../../src/dataplane/source-counts.ts';
import { TimerQueue } from '../../src/dataplane/timers.ts';
import type { RelayWatch } from '../../src/dataplane/tls-watch.ts';
import type { Endpoint, Wire } from '../../src/dataplane/wire.ts';
import type { FlowSettings, World } from '../../src/dataplane/world.ts';
import type { IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Hostname } from '../../src/policy/hostname.ts';
import { Policy } from '../../src/policy/policy.ts';
import type { ParsedPolicy, Rule } from '../../src/policy/rules.ts';
import { TcpAddresses } from '../../src/policy/tcp-addresses.ts';
import type { Resolution, Resolver } from '../../src/resolve/resolver.ts';
import { parsePostgresOpening } from '../../src/sniff/postgres.ts';
import { policyOf, rule } from '../policy/reference.ts';
import { ip } from '../resolve/support.ts';

/** A clock that stands still unless told, and timers that go by it. */
export class FakeClock implements Clock {
  nowMs = 0;
  readonly #startedMs = Date.now();
  readonly timers = new TimerQueue(() => this.nowMs);

  get epochMs(): number {
    return this.#startedMs + this.nowMs;
  }

  /** Lets `ms` pass, firing what falls due at its own time. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (let wait = this.timers.untilNextMs(); wait >= 0 && this.nowMs + wait <= end; ) {
      this.nowMs += wait;
      this.timers.fireDue();
      wait = this.timers.untilNextMs();
    }
    this.nowMs = end;
  }

  /** Whether no timer is set. */
  get isIdle(): boolean {
    return this.timers.untilNextMs() === -1;
  }
}

/** A connection attempt that the test settles. */
export class FakeAttempt implements Attempt {
  readonly address: string;
  readonly #settle: (failure: DialFailure | null) => void;
  state: 'pending' | 'connected' | 'failed' | 'aborted' = 'pending';

  constructor(ip: IpAddress, port: number, settle: (failure: DialFailure | null) => void) {
    this.address = `${ip}:${port}`;
    this.#settle = settle;
  }

  settle(failure: DialFailure | null): void {
    this.state = failure === null ? 'connected' : 'failed';
    this.#settle(failure);
  }

  abort(): void {
    this.state = 'aborted';
  }
}

/** Writes down what a flow makes it do; `faults` holds what no flow may do. */
export class FakeWire implements Wire<FakeAttempt> {
  readonly client: Endpoint = { ip: ip('192.0.2.10'), port: 50_000 };
  originalDestination: Endpoint | null;
  readonly relayed = { out: 0, in: 0 };
  readonly calls: string[] = [];
  readonly faults: string[] = [];
  readonly attempts: FakeAttempt[] = [];
  relaying: { head: Uint8Array; watch: RelayWatch | null; done: (end: FlowEnd) => void } | null = null;
  handedOver: { opening: Uint8Array; done: () => void } | null = null;
  /** Answers what was asked of an upstream. */
  asking: ((answer: Uint8Array | null) => void) | null = null;
  isOver = false;
  onReadOn: () => void = () => {};

  constructor(originalDestination: Endpoint | null) {
    this.originalDestination = originalDestination;
  }

  readonly connect = (ip: IpAddress, port: number, settle: (failure: DialFailure | null) => void) => {
    this.#note(`connect ${ip}:${port}`);
    const attempt = new FakeAttempt(ip, port, settle);
    this.attempts.push(attempt);
    return attempt;
  };

  ask(upstream: FakeAttempt, request: Uint8Array, answered: (answer: Uint8Array | null) => void): () => void {
    this.#note(`ask ${upstream.address} ${describeRequest(request)}`);
    if (upstream.state !== 'connected') this.faults.push('a question to what is not connected');
    this.asking = answer => {
      this.asking = null;
      answered(answer);
    };
    return () => {
      this.asking = null;
    };
  }

  readOn(): void {
    this.#note('readOn');
    this.onReadOn();
  }

  reply(bytes: Uint8Array): void {
    this.#note(`reply ${describeAnswer(bytes)}`);
  }

  relay(
    upstream: FakeAttempt,
    head: Uint8Array,
    watch: RelayWatch | null,
    done: (end: FlowEnd) => void,
  ): void {
    this.#note(`relay to ${upstream.address}`);
    if (upstream.state !== 'connected') this.faults.push('relay over an attempt that is not connected');
    this.relaying = {
      head,
      watch,
      done: end => {
        this.isOver = true;
        done(end);
      },
    };
  }

  handOver(opening: Uint8Array, done: () => void): void {
    this.#note(`handOver ${opening.length}`);
    this.handedOver = { opening, done };
    this.isOver = true;
  }

  hangUp(farewell: Uint8Array): void {
    this.#note(`hangUp ${describeAnswer(farewell)}`);
    this.isOver = true;
  }

  reset(): void {
    this.#note('reset');
    this.isOver = true;
  }

  #note(call: string): void {
    if (this.isOver) this.faults.push(`${call} after the end`);
    if (this.relaying !== null) this.faults.push(`${call} while relaying`);
    this.calls.push(call);
  }
}

function describeRequest(bytes: Uint8Array): string {
  const opening = parsePostgresOpening(bytes);
  return opening.kind === 'request' ? opening.request : Buffer.from(bytes).toString('hex');
}

/** `nothing`, `alert 49`, `HTTP 403`, `method 0`, `SOCKS 2`, or hex. */
export function describeAnswer(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing';
  if (bytes.length === 7 && bytes[0] === 21) return `alert ${bytes[6]}`;
  if (bytes[0] === 0x45) return 'PostgreSQL error';
  if (bytes.length === 2 && bytes[0] === 5) return `method ${bytes[1]}`;
  if (bytes.length < 3) return Buffer.from(bytes).toString('latin1');
  if (bytes.length === 10 && bytes[0] === 5) return `SOCKS ${bytes[1]}`;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(Buffer.from(bytes).toString('latin1'))?.[1];
  return status === undefined ? Buffer.from(bytes).toString('hex') : `HTTP ${status}`;
}

/** Addresses by name; a name that is not there does not resolve. Names in `held` are answered by the test. */
export class FakeResolver implements Resolver {
  readonly asked: string[] = [];
  readonly held = new Set<string>();
  readonly #zone: Readonly<Record<string, readonly string[]>>;
  readonly #judge: (ip: IpAddress) => 'ok' | 'private' | 'forbidden';
  #waiting: (() => void)[] = [];

  constructor(
    zone: Readonly<Record<string, readonly string[]>>,
    judge: (ip: IpAddress) => 'ok' | 'private' | 'forbidden',
  ) {
    this.#zone = zone;
    this.#judge = judge;
  }

  resolve(hostname: Hostname, done: (resolution: Resolution) => void): void {
    this.asked.push(hostname);
    if (this.held.has(hostname)) this.#waiting.push(() => done(this.#answer(hostname)));
    else done(this.#answer(hostname));
  }

  /** Answers everything that waits. */
  answer(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const answer of waiting) answer();
  }

  #answer(hostname: string): Resolution {
    const addresses = (this.#zone[hostname] ?? []).map(ip);
    if (addresses.length === 0) return { ok: false, failure: 'unknown', expiresMs: 0 };
    return {
      ok: true,
      addresses: addresses.map(address => ({ ip: address, guard: this.#judge(address) })),
      expiresMs: 0,
    };
  }
}

export const ZONE = {
  'allowed.example': ['198.51.100.7'],
  'other.example': ['198.51.100.9'],
  'two.example': ['198.51.100.7', '198.51.100.8'],
  'private.example': ['10.0.0.5'],
  'inside.example': ['10.0.0.6'],
  'meta.example': ['169.254.169.254'],
  'own.example': ['203.0.113.1'],
  'mixed.example': ['169.254.169.254', '10.0.0.5', '198.51.100.7'],
  'outer.example': ['198.51.100.10'],
  'slow.example': ['198.51.100.11'],
  'denied.example': ['198.51.100.12'],
  'stranger.example': ['198.51.100.13'],
} as const;

const NAMES = ['allowed', 'other', 'two', 'private', 'meta', 'own', 'mixed', 'slow', 'gone'];

/** Allows all of the zone but denied and stranger; a name that does not resolve, gone.example, too. */
export const RULES: readonly Rule[] = [
  rule(
    'allowed',
    NAMES.map(name => `${name}.example`),
  ),
  rule('inside', ['inside.example'], { allowPrivate: true }),
  rule('outer', ['outer.example'], { ech: 'outer' }),
  rule('never', ['denied.example'], { action: 'deny' }),
];

export function compiled(rules: readonly Rule[] = RULES, rest: Partial<ParsedPolicy> = {}): Policy {
  return Policy.from(compilePolicy(policyOf(rules, rest)));
}

export const SETTINGS: FlowSettings = {
  helloTimeoutMs: 5_000,
  helloBytes: 4_096,
  dialTimeoutMs: 10_000,
  onDeny: 'alert',
  onPolicyChange: 'keep',
};

const transparent = (destination: DestinationMode) =>
  ({ kind: 'transparent', name: 'gw', intercept: 'redirect', destination, keepsSource: false }) as const;

export const LISTENERS = {
  explicit: { kind: 'explicit', name: 'proxy', gateway: 'gw-1' },
  sni: { kind: 'sni', name: 'tls', upstreamPort: 443 },
  resolve: transparent('resolve'),
  verify: transparent('verify'),
  original: transparent('original'),
  keep: { ...transparent('resolve'), intercept: 'tproxy', keepsSource: true },
} as const satisfies Record<string, Listener>;

export const NO_OPENING_LIMITS: OpeningLimits = { undecided: 0, undecidedPerSource: 0 };

/** Sources are not told apart. */
const ANY_SOURCE: WorkerSources = { tryOpen: () => true, close: () => {} };

/** Openings of one worker and listener. */
export function openingsOf(counters: Counters, limits: OpeningLimits, sources = ANY_SOURCE): Openings {
  return new Openings({ counters, own: counters.worker(0), sources }, limits);
}

export type ListenerName = keyof typeof LISTENERS;

/** The address of allowed.example, where transparent flows are going unless they say otherwise. */
export const ORIGINAL = '198.51.100.7';
const OWN: readonly PlainEndpoint[] = [{ ip: '203.0.113.1', port: 443 }];

export interface RigOptions {
  readonly listener?: ListenerName;
  readonly mode?: 'observe' | 'enforce';
  readonly policy?: Policy;
  readonly tcpAddresses?: TcpAddresses;
  readonly settings?: Partial<FlowSettings>;
  /** Of transparent flows; null: the client came to the listener itself. */
  readonly going?: string | null;
  readonly goingPort?: number;
}

/** One flow with everything around it under the test's control. */
export class FlowRig {
  readonly clock = new FakeClock();
  readonly wire: FakeWire;
  readonly resolver: FakeResolver;
  readonly flow: Flow<FakeAttempt>;
  readonly decided: DecisionEvent[] = [];
  readonly closed: CloseEvent[] = [];
  /** What was told, in order: `decided`, `closed`, `over`. */
  readonly told: string[] = [];
  policy: Policy;
  tcpAddresses: TcpAddresses;
  readonly #counters = Counters.create(1, 1);
  readonly openings = openingsOf(this.#counters, { undecided: 1, undecidedPerSource: 0 });

  constructor(options: RigOptions = {}) {
    const { listener = 'sni', mode = 'enforce', going = ORIGINAL, goingPort = 443 } = options;
    this.policy = options.policy ?? compiled(RULES, { mode, observeUntilMs: null });
    this.tcpAddresses = options.tcpAddresses ?? TcpAddresses.none();
    const guard = makeGuard({ allow: [], deny: [] }, OWN);
    this.resolver = new FakeResolver(ZONE, address => guard.judge(address));
    this.resolver.held.add('slow.example');
    const isTransparent = LISTENERS[listener].kind === 'transparent';
    this.wire = new FakeWire(isTransparent && going !== null ? { ip: ip(going), port: goingPort } : null);
    const world: World = {
      settings: { ...SETTINGS, ...options.settings },
      resolver: this.resolver,
      guard,
      clock: this.clock,
      timers: this.clock.timers,
      openings: this.openings,
      observer: {
        decided: event => {
          this.decided.push(event);
          this.told.push('decided');
          return 'said';
        },
        closed: event => {
          this.closed.push(event);
          this.told.push('closed');
        },
      },
      policy: () => this.policy,
      tcpAddresses: () => this.tcpAddresses,
      nextFlowId: () => 'flow-0',
    };
    this.openings.tryEnter(this.wire.client.ip);
    this.flow = new Flow(LISTENERS[listener], this.wire, world, () => this.told.push('over'));
  }

  /** Whether the flow counts among those whose opening is awaited. */
  get isAwaited(): boolean {
    return this.#counters.allAwaited() === 1;
  }

  get attempt(): FakeAttempt {
    const pending = this.wire.attempts.find(({ state }) => state === 'pending');
    if (pending === undefined) throw new Error(`nothing is being dialled; calls: ${this.wire.calls}`);
    return pending;
  }

  get relaying(): NonNullable<FakeWire['relaying']> {
    if (this.wire.relaying === null) throw new Error(`no relay; calls: ${this.wire.calls}`);
    return this.wire.relaying;
  }

  /** The decision on one line: action, state, reason, rule; protocol, host, destination. */
  get decision(): string {
    return this.decided
      .map(
        d =>
          `${d.action} ${d.state} ${d.reason ?? '-'} ${d.rule ?? '-'}; ${d.protocol} ${d.hostname ?? '-'} ${d.dstIp ?? '-'}:${d.dstPort}`,
      )
      .join(' | ');
  }

  get end(): string {
    return this.closed.map(c => (c.dialFailure === null ? c.end : `${c.end} ${c.dialFailure}`)).join(' | ');
  }
}

/** Something that happens to a flow. */
export type Step = (rig: FlowRig) => void;

/** The client sends bytes; the buffer is overwritten afterwards, as a shared one is. */
export const says =
  (bytes: Uint8Array): Step =>
  rig => {
    const shared = Uint8Array.from(bytes);
    rig.flow.clientBytes(shared);
    shared.fill(0xee);
  };
export const ends: Step = rig => rig.flow.clientEnded();
export const resets: Step = rig => rig.flow.clientReset();
export const waits =
  (ms: number): Step =>
  rig =>
    rig.clock.advance(ms);
export const connected: Step = rig => rig.attempt.settle(null);
export const failed =
  (failure: DialFailure): Step =>
  rig =>
    rig.attempt.settle(failure);
/** The upstream answers what it was asked. */
export const answers =
  (answer: string | null): Step =>
  rig => {
    if (rig.wire.asking === null) throw new Error(`nothing was asked; calls: ${rig.wire.calls}`);
    rig.wire.asking(answer === null ? null : Buffer.from(answer, 'latin1'));
  };
export const resolved: Step = rig => rig.resolver.answer();
export const relayEnds =
  (end: FlowEnd): Step =>
  rig =>
    rig.relaying.done(end);
export const abandoned =
  (end: FlowEnd): Step =>
  rig =>
    rig.flow.abandon(end);

/** Starts a flow and lets the steps happen. */
export function live(options: RigOptions, steps: readonly Step[]): FlowRig {
  const rig = new FlowRig(options);
  rig.flow.start();
  for (const step of steps) step(rig);
  return rig;
}

/** What of a rig a table of lives compares. */
export function story(rig: FlowRig): {
  calls: readonly string[];
  decision: string;
  end: string;
  faults: readonly string[];
} {
  const { calls, faults } = rig.wire;
  return { calls, decision: rig.decision, end: rig.end, faults };
}
