import { describe, expect, it } from 'vitest';
import type { TcpHost } from '../../src/policy/tcp-addresses.ts';
import { HostKeeper, type KeepLimits } from '../../src/resolve/host-keeper.ts';
import type { Resolution } from '../../src/resolve/resolver.ts';
import { FakeClock } from '../dataplane/support.ts';
import { hostname, ip } from './support.ts';

const TTL_MS = 60_000;
const GRACE_MS = 600_000;
const OUTAGE_MS = 3_600_000;

/** A keeper whose time and answers the test rules. */
class Rig {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly answers = new Map<string, readonly string[] | 'unknown' | 'unreachable'>();
  readonly told: string[] = [];
  readonly keeper: HostKeeper;
  pending = 0;
  mostPending = 0;

  constructor(limits: Partial<KeepLimits> = {}) {
    this.keeper = new HostKeeper({
      resolver: {
        resolve: (name, done) => {
          this.asked.push(name);
          this.mostPending = Math.max(this.mostPending, ++this.pending);
          this.clock.timers.after(5, () => {
            this.pending--;
            done(this.#answer(name));
          });
        },
      },
      now: () => this.clock.epochMs,
      after: (delayMs, fire) => {
        const timer = this.clock.timers.after(delayMs, fire);
        return () => timer.cancel();
      },
      onChange: hosts => this.told.push(describeHosts(hosts)),
      limits,
    });
  }

  get last(): string {
    return this.told.at(-1) ?? 'nothing';
  }

  /** Lets time pass, step by step: answers are taken between steps. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.nowMs + ms;
    while (this.clock.nowMs < end) {
      const wait = this.clock.timers.untilNextMs();
      this.clock.advance(Math.min(wait < 0 ? ms : Math.max(1, wait), end - this.clock.nowMs));
      await Promise.resolve();
    }
  }

  #answer(name: string): Resolution {
    const answer = this.answers.get(name) ?? 'unknown';
    const expiresMs = this.clock.epochMs + TTL_MS;
    if (typeof answer === 'string')
      return { ok: false, failure: answer, expiresMs: this.clock.epochMs + 5_000 };
    const addresses = answer.map(text => ({
      ip: ip(text),
      guard: text.startsWith('127.') ? ('forbidden' as const) : ('ok' as const),
    }));
    return { ok: true, addresses, expiresMs };
  }
}

function describeHosts(hosts: readonly TcpHost[]): string {
  return hosts.map(({ hostname, addresses }) => `${hostname}: ${addresses.join(' ')}`).join('; ');
}

describe('names that are kept', () => {
  const GIT = hostname('git.example');
  const kept = async (...addresses: string[]) => {
    const rig = new Rig();
    rig.answers.set('git.example', addresses);
    rig.keeper.keep([GIT]);
    await rig.pass(100);
    return rig;
  };

  it('are asked for at once, and again whenever the TTL ends', async () => {
    const rig = await kept('192.0.2.1');
    expect(rig.last).toBe('git.example: 192.0.2.1');
    expect(rig.asked).toHaveLength(1);
    await rig.pass(3 * TTL_MS);
    expect(rig.asked).toHaveLength(4);
    expect(rig.told).toHaveLength(1);
  });

  it('know a new address at the next answer, and an old one until TTL and grace are over', async () => {
    const rig = await kept('192.0.2.1');
    rig.answers.set('git.example', ['192.0.2.2']);
    await rig.pass(TTL_MS);
    expect(rig.last).toBe('git.example: 192.0.2.1 192.0.2.2');
    await rig.pass(GRACE_MS - 200);
    expect(rig.last).toBe('git.example: 192.0.2.1 192.0.2.2');
    await rig.pass(400);
    expect(rig.last).toBe('git.example: 192.0.2.2');
  });

  it('keep their addresses for longer while no server answers, but not for ever', async () => {
    const rig = await kept('192.0.2.1');
    rig.answers.set('git.example', 'unreachable');
    await rig.pass(TTL_MS + OUTAGE_MS - 1_000);
    expect(rig.last).toBe('git.example: 192.0.2.1');
    await rig.pass(2_000);
    expect(rig.last).toBe('git.example: ');
  });

  it('lose their addresses after the grace time when the name is gone', async () => {
    const rig = await kept('192.0.2.1');
    rig.answers.set('git.example', 'unknown');
    await rig.pass(TTL_MS + GRACE_MS + 100);
    expect(rig.last).toBe('git.example: ');
  });

  it('never have an address that is never dialled', async () => {
    const rig = await kept('127.0.0.1', '192.0.2.1');
    expect(rig.last).toBe('git.example: 192.0.2.1');
  });

  it('have so many addresses at most, the latest ones', async () => {
    const rig = new Rig({ maxAddresses: 2 });
    rig.answers.set('git.example', ['192.0.2.1', '192.0.2.2']);
    rig.keeper.keep([GIT]);
    await rig.pass(100);
    rig.answers.set('git.example', ['192.0.2.3']);
    await rig.pass(TTL_MS);
    expect(rig.last).toBe('git.example: 192.0.2.2 192.0.2.3');
  });

  it('are asked for some at a time, and told of together', async () => {
    const rig = new Rig({ maxPending: 3 });
    const names = Array.from({ length: 20 }, (_, i) => hostname(`n${i}.example`));
    for (const name of names) rig.answers.set(name, ['192.0.2.1']);
    rig.keeper.keep(names);
    await rig.pass(200);
    expect(new Set(rig.asked)).toEqual(new Set(names));
    expect(rig.mostPending).toBe(3);
    expect(rig.last.split('; ')).toEqual(names.map(name => `${name}: 192.0.2.1`));
    expect(rig.told.length).toBeLessThan(5);
  });

  it('stay known when other names come and go', async () => {
    const rig = await kept('192.0.2.1');
    rig.answers.set('db.example', ['192.0.2.9']);
    rig.keeper.keep([hostname('db.example'), GIT]);
    await rig.pass(100);
    expect(rig.last).toBe('db.example: 192.0.2.9; git.example: 192.0.2.1');
    expect(rig.asked).toEqual(['git.example', 'db.example']);
    rig.keeper.keep([hostname('db.example')]);
    await rig.pass(100);
    expect(rig.last).toBe('db.example: 192.0.2.9');
  });

  it('are asked for no more once it is stopped', async () => {
    const rig = await kept('192.0.2.1');
    rig.keeper.stop();
    await rig.pass(10 * TTL_MS);
    expect(rig.asked).toHaveLength(1);
    expect(rig.clock.isIdle).toBe(true);
  });
});
