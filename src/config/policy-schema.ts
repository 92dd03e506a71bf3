import { z } from 'zod';
import { formatKeys } from './format-keys.ts';
import { parseDate, parseName, scalar } from './scalars.ts';

const mode = z.enum(['observe', 'enforce']);
const ech = z.enum(['deny', 'outer']);
const name = scalar('a name', ['registries'], parseName);
const port = z
  .int()
  .min(1)
  .max(65535)
  .meta({ title: 'a port', examples: [443] });
const text = (title: string, example: string) => z.string().meta({ title, examples: [example] });

const rule = z.strictObject({
  name: name.describe(
    'Unique; stands in logs, metrics and `explain`. Letters, digits, dots, underscores, hyphens.',
  ),
  hosts: z
    .array(text('a host pattern', 'api.example.com'))
    .min(1)
    .meta({ examples: [['api.example.com', '*.cdn.example.com']] })
    .describe(
      'Hostnames and patterns. `*` stands for one or more characters inside one label, a leading `**.` for one or more whole labels; neither matches the apex. `{name}` stands for a variable of `vars`.',
    ),
  ports: z
    .array(port)
    .min(1)
    .meta({ examples: [[443, 8443]] })
    .default([443])
    .describe('Destination ports.'),
  protocol: z
    .literal('named')
    .meta({ title: 'named, the only protocol this version knows' })
    .default('named')
    .describe(
      'How the name is known: `named` is TLS SNI, or the name of a CONNECT or SOCKS5 request. This version knows no other.',
    ),
  from: z
    .array(text('a source group, an address or a block', '10.40.0.0/16'))
    .min(1)
    .meta({ examples: [['10.40.0.0/16']] })
    .optional()
    .describe('Names of groups in `sources`, addresses or CIDR blocks. Absent: any source.'),
  until: scalar('a date', ['2027-01-31'], value => parseDate(value, 'end'))
    .optional()
    .describe(
      'ISO 8601. The rule stops matching at this moment; a date without a time is the last day (UTC) on which it still matches.',
    ),
  action: z
    .enum(['allow', 'deny'])
    .default('allow')
    .describe('A deny rule that matches wins over every allow rule, however specific.'),
  allowPrivate: z
    .boolean()
    .default(false)
    .describe('Let these hosts resolve to private addresses (RFC 1918, fc00::/7, 100.64.0.0/10).'),
  ech: ech.optional().describe("Encrypted Client Hello under this rule; absent: the policy's own."),
  acceptPublicSuffix: z
    .boolean()
    .default(false)
    .describe(
      'Accept a wildcard that covers a public suffix (`*.com`, `*.s3.amazonaws.com`), where names have unrelated owners.',
    ),
});

const sourceGroup = z.strictObject({
  cidrs: z
    .array(text('an address or a block', '10.12.4.0/24'))
    .min(1)
    .meta({ examples: [['10.12.4.0/24']] })
    .describe('Addresses and CIDR blocks, IPv4 and IPv6.'),
  mode: mode
    .optional()
    .describe(
      'A mode of its own for this group, which `observeUntil` does not touch. Of several groups the narrowest block decides, and enforce among equals.',
    ),
});

/** `policy.yaml`: the structure; hosts, sources and names are checked further by `buildPolicy`. */
export const policySchema = z
  .strictObject({
    ...formatKeys,
    mode: mode.default('enforce').describe('observe: forward everything and say what enforce would drop.'),
    observeUntil: scalar('a date', ['2026-12-31'], value => parseDate(value, 'start'))
      .optional()
      .describe(
        'ISO 8601. From this moment on `mode: observe` is enforce; a date without a time is the start of that day, UTC.',
      ),
    ech: ech.default('deny').describe('Encrypted Client Hello: deny it, or judge it by its outer name.'),
    vars: z
      .record(z.string(), text('a text', 'us-east-1'))
      .default({})
      .describe('Variables for `hosts`: `{region}` there stands for `region` here.'),
    sources: z
      .record(z.string(), sourceGroup)
      .default({})
      .describe('Groups of sources, by name, for `from`.'),
    rules: z
      .array(rule)
      .meta({ examples: [[]] })
      .describe('What may be reached. Order does not matter. Nothing at all is written `rules: []`.'),
  })
  .describe('sallyport policy: which hosts may be reached, by whom.');

export type PolicyInput = z.output<typeof policySchema>;
export type RuleInput = z.output<typeof rule>;
