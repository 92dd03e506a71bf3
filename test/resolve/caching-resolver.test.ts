import { describe, expect, test } from 'vitest';
import type { Hostname } from '../../src/policy/hostname.ts';
import { CachingResolver, type CachingResolverOptions } from '../../src/resolve/caching-resolver.ts';
import type { Resolution, Resolver } from '../../src/resolve/resolver.ts';
import { hostname, ip, resolveOnce } from './support.ts';

type Done = (resolution: Resolution) => void;

/** An upstream that answers when told to. */
class HeldResolver implements Resolver {
  readonly asked: string[] = [];
  #held: Done[] = [];

  resolve(name: Hostname, done: Done): void {
    this.asked.push(name);
    this.#held.push(done);
  }

  release(resolution: Resolution): void {
    for (const done of this.#held.splice(0)) done(resolution);
  }
}

/** An upstream that answers at once. */
class InstantResolver implements Resolver {
  readonly asked: string[] = [];
  readonly #answer: () => Resolution;

  constructor(answer: () => Resolution) {
    this.#answer = answer;
  }

  resolve(name: Hostname, done: Done): void {
    this.asked.push(name);
    done(this.#answer());
  }
}

function addressUntil(expiresMs: number): Resolution {
  return { ok: true, addresses: [{ ip: ip('192.0.2.1'), guard: 'ok' }], expiresMs };
}

function instant(answer: (nowMs: number) => Resolution, options: Partial<CachingResolverOptions> = {}) {
  const clock = { nowMs: 1_000_000 };
  const upstream = new InstantResolver(() => answer(clock.nowMs));
  const cache = new CachingResolver(upstream, { now: () => clock.nowMs, ...options });
  return { clock, upstream, cache };
}

describe('a resolution', () => {
  test('is given again, before resolve returns, until it expires', async () => {
    const { clock, upstream, cache } = instant(nowMs => addressUntil(nowMs + 60_000));
    const first = await resolveOnce(cache, 'a.example.com');
    clock.nowMs += 59_999;
    let again: Resolution | undefined;
    cache.resolve(hostname('a.example.com'), resolution => {
      again = resolution;
    });
    expect(again).toBe(first);
    expect(upstream.asked).toEqual(['a.example.com']);
  });

  test('is asked for anew at the moment it expires', async () => {
    const { clock, upstream, cache } = instant(nowMs => addressUntil(nowMs + 60_000));
    await resolveOnce(cache, 'a.example.com');
    clock.nowMs += 60_000;
    await resolveOnce(cache, 'a.example.com');
    expect(upstream.asked).toHaveLength(2);
  });

  test('is kept when it is a failure, too', async () => {
    const { clock, upstream, cache } = instant(nowMs => ({
      ok: false,
      failure: 'unknown',
      expiresMs: nowMs + 5_000,
    }));
    await resolveOnce(cache, 'a.example.com');
    clock.nowMs += 4_999;
    expect(await resolveOnce(cache, 'a.example.com')).toMatchObject({ ok: false, failure: 'unknown' });
    expect(upstream.asked).toHaveLength(1);
    clock.nowMs += 1;
    await resolveOnce(cache, 'a.example.com');
    expect(upstream.asked).toHaveLength(2);
  });

  test('is not kept when it has expired on arrival', async () => {
    const { upstream, cache } = instant(nowMs => addressUntil(nowMs));
    await resolveOnce(cache, 'a.example.com');
    await resolveOnce(cache, 'a.example.com');
    expect(upstream.asked).toHaveLength(2);
    expect(cache.size).toBe(0);
  });
});

describe('single flight', () => {
  test('a thousand askers of one name share one query and one answer', () => {
    const upstream = new HeldResolver();
    const cache = new CachingResolver(upstream, { now: () => 0 });
    const answers: Resolution[] = [];
    for (let i = 0; i < 1_000; i++) cache.resolve(hostname('a.example.com'), answer => answers.push(answer));
    const answer = addressUntil(1);
    upstream.release(answer);
    expect(upstream.asked).toEqual(['a.example.com']);
    expect(answers).toHaveLength(1_000);
    expect(new Set(answers)).toEqual(new Set([answer]));
  });

  test('different names are asked for side by side', () => {
    const upstream = new HeldResolver();
    const cache = new CachingResolver(upstream, { now: () => 0 });
    cache.resolve(hostname('a.example.com'), () => {});
    cache.resolve(hostname('b.example.com'), () => {});
    expect(upstream.asked).toEqual(['a.example.com', 'b.example.com']);
  });

  test('a name past the bound on open queries is refused at once and asked for again later', () => {
    const upstream = new HeldResolver();
    const cache = new CachingResolver(upstream, { now: () => 0, maxPending: 1 });
    const answers: Resolution[] = [];
    cache.resolve(hostname('a.example.com'), answer => answers.push(answer));
    cache.resolve(hostname('b.example.com'), answer => answers.push(answer));
    expect(answers).toMatchObject([{ ok: false, failure: 'limited' }]);
    upstream.release(addressUntil(1));
    cache.resolve(hostname('b.example.com'), () => {});
    expect(upstream.asked).toEqual(['a.example.com', 'b.example.com']);
  });
});

describe('the bound on entries', () => {
  test('the name asked for longest ago goes first', async () => {
    const { upstream, cache } = instant(nowMs => addressUntil(nowMs + 60_000), { maxEntries: 2 });
    for (const name of ['a.example', 'b.example', 'a.example', 'c.example', 'a.example', 'b.example']) {
      await resolveOnce(cache, name);
    }
    expect(upstream.asked).toEqual(['a.example', 'b.example', 'c.example', 'b.example']);
  });

  test('a hundred thousand random names leave no more than the bound', () => {
    const { cache } = instant(nowMs => addressUntil(nowMs + 60_000), { maxEntries: 500 });
    for (let i = 0; i < 100_000; i++) cache.resolve(hostname(`n${i}.example.com`), () => {});
    expect(cache.size).toBe(500);
  });
});
