import { describe, expect, it } from 'vitest';
import { attack, EVIL } from './attack.ts';

/** Chunk lines that two servers read differently. */
describe('smuggling by chunk lines', () => {
  const head = 'POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n';

  it.each([
    ['bare line feeds', '4\nabcd\n0\n\n'],
    ['a bare line feed behind the data', '4\r\nabcd\n0\r\n\r\n'],
    ['a bare line feed at the end', '4\r\nabcd\r\n0\r\n\n'],
    ['a bare carriage return', '4\rabcd\r\n0\r\n\r\n'],
    ['data longer than said', `2\r\nabcd\r\n0\r\n\r\n${EVIL}`],
    ['a letter behind the size', '4x\r\nabcd\r\n0\r\n\r\n'],
    ['a prefix', '0x4\r\nabcd\r\n0\r\n\r\n'],
    ['a sign', '+4\r\nabcd\r\n0\r\n\r\n'],
    ['a negative size', '-4\r\nabcd\r\n0\r\n\r\n'],
    ['a space before the size', ' 4\r\nabcd\r\n0\r\n\r\n'],
    ['no size', '\r\nabcd\r\n0\r\n\r\n'],
    ['a size beyond 64 bits', '10000000000000004\r\nabcd\r\n0\r\n\r\n'],
    ['a line feed in an extension', `4;a\nb\r\nabcd\r\n0\r\n\r\n${EVIL}`],
    ['a carriage return in an extension', `4;a\rb\r\nabcd\r\n0\r\n\r\n${EVIL}`],
    ['extensions without end', `4;${'a'.repeat(20_000)}\r\nabcd\r\n0\r\n\r\n`],
  ])('has nothing forwarded: %s', async (_what, body) => {
    const { upstream, statuses } = await attack(head + body);
    expect(upstream).toEqual([]);
    expect(statuses).toEqual([400]);
  });

  it('extensions go no further', async () => {
    const { upstream } = await attack(`${head}4;a=b;c="d"\r\nabcd\r\n0;last\r\n\r\n`);
    expect(upstream).toEqual([`${head}4\r\nabcd\r\n0\r\n\r\n`]);
  });

  it('a body that goes bad on its way is broken off upstream, never ended', async () => {
    const { upstream, statuses } = await attack(`${head}4\r\nabcd\r\n`, '4x\r\nabcd\r\n0\r\n\r\n');
    expect(upstream).toEqual([`${head}4\r\nabcd\r\n`]);
    expect(statuses).not.toContain(403);
  });
});
