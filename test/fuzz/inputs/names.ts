import fc from 'fast-check';

const LABEL_LETTERS = 'abcxyzABK019-_'.split('');
const label = fc.string({ unit: fc.constantFrom(...LABEL_LETTERS), minLength: 1, maxLength: 12 });

const plainName = fc
  .tuple(fc.array(label, { minLength: 0, maxLength: 4 }), fc.constantFrom('example', 'com', 'EXAMPLE'))
  .map(([labels, top]) => [...labels, top].join('.'));

/** One character a byte. Each has been read in two ways by somebody. */
const ODD_NAMES = [
  '',
  '.',
  'allowed.example.',
  '.allowed.example',
  'allowed..example',
  'allowed.example\0.denied.example',
  'allowed.example\r\nhost: denied.example',
  'allowed.example denied.example',
  '"allowed.example"',
  '\u001b[2Kallowed.example',
  '127.0.0.1',
  '127.1',
  '0x7f000001',
  '2130706433',
  'a.0x1f',
  '[::1]',
  '::1',
  'localhost',
  '-a.example',
  'a-.example',
  '*.example',
  '\u00e2\u0084\u00aa.example',
  `${'a'.repeat(63)}.example`,
  `${'a'.repeat(64)}.example`,
  `${'a.'.repeat(123)}example`,
  `${'a.'.repeat(124)}example`,
  'a'.repeat(255),
  'a'.repeat(256),
];

const anyName = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
  maxLength: 40,
});

/** What stands where a hostname belongs: mostly one, or nearly one. One character a byte. */
export const names: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: plainName },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_NAMES) },
  { weight: 1, arbitrary: anyName },
);
