import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listOf, valuesOf } from '../../src/sniff/http-fields.ts';
import type { HeaderField } from '../../src/sniff/http-line.ts';
import { otherProtocols, withoutHttp2Offer } from '../../src/sniff/http2-offer.ts';

const fields = (lines: readonly string[]): HeaderField[] =>
  lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);

describe('withoutHttp2Offer', () => {
  it.each<[string, string[], string[] | null]>([
    [
      'an offer with its settings',
      ['Host: a', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA', 'X: 1'],
      ['Host: a', 'X: 1'],
    ],
    [
      'what else Connection says',
      ['Connection: Upgrade, close, HTTP2-Settings', 'Upgrade: h2c'],
      ['Connection: close'],
    ],
    ['an offer without Connection', ['Upgrade: H2C', 'Connection: keep-alive'], ['Connection: keep-alive']],
    [
      'an offer beside another',
      ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: websocket, h2c', 'HTTP2-Settings: AA'],
      ['Connection: Upgrade', 'Upgrade: websocket'],
    ],
    [
      'an offer in lines of its own',
      ['Upgrade: websocket', 'Upgrade: h2c', 'Connection: upgrade', 'connection: http2-settings'],
      ['Upgrade: websocket', 'Connection: upgrade'],
    ],
    ['another offer', ['Connection: Upgrade', 'Upgrade: websocket'], null],
    ['none', ['Host: a'], null],
  ])('takes out %s', (_, lines, expected) => {
    expect(withoutHttp2Offer(fields(lines))).toEqual(expected === null ? null : fields(expected));
  });

  it('leaves no offer, and every other line as it is', () => {
    const field = fc.tuple(
      fc.constantFrom('Upgrade', 'upgrade', 'Connection', 'HTTP2-Settings', 'Host', 'X-Other'),
      fc
        .array(fc.constantFrom('h2c', 'H2C', 'websocket', 'Upgrade', 'HTTP2-Settings', 'close', ''), {
          maxLength: 4,
        })
        .map(elements => elements.join(', ')),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 8 }), lines => {
        const without = withoutHttp2Offer(lines);
        if (without === null) return;
        expect(withoutHttp2Offer(without)).toBeNull();
        expect(listOf(valuesOf(without, 'upgrade'))).toEqual(otherProtocols(lines));
        expect(valuesOf(without, 'http2-settings')).toEqual([]);
        for (const name of ['host', 'x-other'])
          expect(valuesOf(without, name)).toEqual(valuesOf(lines, name));
      }),
    );
  });
});
