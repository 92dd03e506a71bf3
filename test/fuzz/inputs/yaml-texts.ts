import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { checkoutUrl } from '../../support/checkout.ts';
import { policyDocuments } from './policies.ts';

/** What has a meaning in YAML, or in a policy. */
const PIECES = [
  ...[
    ' ',
    '  ',
    '\n',
    '\n  ',
    '\n- ',
    '- ',
    '-',
    ':',
    ': ',
    ',',
    ', ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '#',
    ' #',
  ],
  ...[
    '*',
    '**.',
    '&a',
    '*a',
    '!',
    '!!str ',
    '|',
    '>',
    '|-\n',
    '%',
    '@',
    '`',
    '?',
    '? ',
    '\\',
    '\t',
    '\r',
    '\r\n',
    '~',
  ],
  ...['---\n', '...\n', '%YAML 1.2\n', '<<: ', '\ufeff', '\u0085', '\u2028', '\u007f', '\0', 'ü', '\ud800'],
  ...['1', '0', '-1', '1e3', '0x1', '0o7', '.5', '1_0', '1:30', '::1', '9'.repeat(30), '.inf', '.nan'],
  ...[
    'true',
    'False',
    'null',
    'yes',
    'a',
    'name: ',
    'hosts:',
    'hosts: []',
    'rules: []',
    'rules:',
    '__proto__: ',
    'constructor: ',
  ],
  ...[
    '{region}',
    '{',
    '{}',
    '"*.example"',
    '10.0.0.0/8',
    '10.0.0.0/33',
    '2027-01-31',
    '5s',
    '64KiB',
    '127.0.0.1:0',
  ],
];

const edit = fc.record({ at: fc.nat(9_999), cut: fc.nat(8), piece: fc.constantFrom(...PIECES) });

function changed(seeds: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> {
  return fc.tuple(seeds, fc.array(edit, { maxLength: most })).map(([seed, edits]) => {
    let text = seed;
    for (const { at, cut, piece } of edits) {
      const place = Math.floor((at / 10_000) * (text.length + 1));
      text = text.slice(0, place) + piece + text.slice(place + cut);
    }
    return text;
  });
}

function filesOf(prefix: string): string[] {
  const broken = checkoutUrl('test/config/broken/');
  return readdirSync(broken)
    .filter(name => name.startsWith(prefix) && name.endsWith('.yaml'))
    .map(name => readFileSync(new URL(name, broken), 'utf8'));
}

const written = policyDocuments.chain(policy =>
  fc.constantFrom(
    stringify(policy),
    stringify(policy, { flowCollectionPadding: false, collectionStyle: 'flow' }),
  ),
);

/** Policies in YAML, right, nearly right and wrong. */
export function policyTexts(): fc.Arbitrary<string> {
  const shipped = readFileSync(checkoutUrl('config/policy.yaml'), 'utf8');
  return fc.oneof(
    { weight: 4, arbitrary: changed(written, 3) },
    { weight: 2, arbitrary: changed(fc.constantFrom(shipped, ...filesOf('policy-')), 4) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map(pieces => pieces.join('')),
    },
  );
}

/** Daemon configurations likewise. */
export function daemonTexts(): fc.Arbitrary<string> {
  const shipped = ['config/sallyport.yaml', 'config/deploy/gateway/sallyport.yaml'];
  const seeds = shipped.map(path => readFileSync(checkoutUrl(path), 'utf8'));
  return changed(fc.constantFrom(...seeds, ...filesOf('daemon-')), 4);
}
