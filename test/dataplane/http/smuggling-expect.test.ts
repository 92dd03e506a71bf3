import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** A body that nobody waits for. */
describe('smuggling behind an expectation', () => {
  const head = (length: number) =>
    `POST / HTTP/1.1\r\nHost: allowed.example\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;

  it('a request in place of the body is the body', async () => {
    const request = head(EVIL.length) + EVIL;
    const { upstream, statuses } = await attack(head(EVIL.length), EVIL);
    // The answer came before the body: how much of it still went upstream is a matter of time.
    expect(upstream).toEqual([request.slice(0, upstream[0]?.length)]);
    expect(statuses).toEqual([200]);
  });

  it('a connection whose client was not told to go on ends with the answer', async () => {
    const { upstream, statuses } = await attack(head(10), EVIL);
    expect(statuses).toEqual([200]);
    expect(upstream.join('')).not.toContain('/smuggled HTTP/1.1\r\nHost');
  });
});
