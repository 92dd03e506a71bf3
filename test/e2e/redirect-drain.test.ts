import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it, vi } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { describeInLab, startGateway } from '../support/lab-suite.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example'] }] };

describeInLab('a transparent listener on SIGTERM', suite => {
  it.each([V4, V6])('takes no new flow, lets one to $site end, and is gone', async family => {
    const gateway = await startGateway(suite.lab, { policy });
    const visitor = new Visitor(
      suite.lab.spawn('client', 'openssl', suite.clients.tlsArguments(family.site, 'allowed.example')),
    );
    await visitor.ask();
    const ended = gateway.stop('SIGTERM');
    await vi.waitFor(
      async () => {
        const late = await suite.clients.https('allowed.example', family.site);
        expect(late.code).toBe(CURL.cannotConnect);
      },
      { timeout: 60_000, interval: 1 },
    );
    await visitor.ask();
    visitor.leave();
    expect(await ended).toEqual({ code: 0, signal: null });
    const closes = gateway.lines.filter(line => line.event === 'close');
    expect(closes.map(line => line.end)).not.toContain('drained');
    expect(gateway.lines.at(-1)).toMatchObject({ event: 'drained' });
  });

  it('cuts what is still open after limits.drainTimeout', async () => {
    const gateway = await startGateway(suite.lab, { policy, limits: { drainTimeout: '50ms' } });
    const visitor = new Visitor(
      suite.lab.spawn('client', 'openssl', suite.clients.tlsArguments(V4.site, 'allowed.example')),
    );
    await visitor.ask();
    expect(await gateway.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    await visitor.gone;
    expect(gateway.lines.filter(line => line.event === 'close')).toMatchObject([
      { end: 'drained', src_ip: V4.client, dst_ip: V4.site },
    ]);
  });
});

/** A client that stays connected between requests. */
class Visitor {
  readonly gone: Promise<unknown>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: ReturnType<typeof createInterface>;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.gone = once(child, 'close');
    this.#lines = createInterface(child.stdout);
  }

  /** Sends a request and waits for the first line of its answer. */
  async ask(): Promise<void> {
    const answered = new Promise<string>(resolve => {
      const look = (line: string) => {
        if (!line.startsWith('HTTP/')) return;
        this.#lines.off('line', look);
        resolve(line);
      };
      this.#lines.on('line', look);
    });
    this.#child.stdin.write('GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n');
    const line = await Promise.race([answered, this.gone]);
    expect(line).toBe('HTTP/1.1 200 OK');
  }

  leave(): void {
    this.#child.kill();
  }
}
