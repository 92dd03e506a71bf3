import { describe, expect, it } from 'vitest';
import { classifyOpening } from '../../src/sniff/opening.ts';

describe('classifyOpening', () => {
  it.each([
    ['socks5', 0x05],
    ['tls', 0x16],
    ['http', 'C'.charCodeAt(0)],
    ['http', 'A'.charCodeAt(0)],
    ['http', 'Z'.charCodeAt(0)],
    ['unknown', '@'.charCodeAt(0)],
    ['unknown', '['.charCodeAt(0)],
    ['unknown', 'g'.charCodeAt(0)],
    ['unknown', 0x04],
    ['unknown', 0x15],
    ['unknown', 0x00],
    ['unknown', 0xff],
  ])('%s begins with %i', (opening, byte) => {
    expect(classifyOpening(byte)).toBe(opening);
  });
});
