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

const s3 = z
  .strictObject({
    buckets: z
      .array(text('a bucket name', 'app-artifacts'))
      .min(1)
      .meta({ examples: [['app-artifacts', 'team-*-logs']] })
      .optional()
      .describe(
        'Bucket names. `*` stands for one or more characters; anyone can create a bucket that a pattern matches. `{name}` stands for a variable.',
      ),
    accessPoints: z
      .array(text('an access point', 'finance-123456789012'))
      .min(1)
      .meta({ examples: [['finance-123456789012']] })
      .optional()
      .describe(
        'Access points as hosts show them: NAME-ACCOUNT, or an alias that ends in -s3alias, --ol-s3, --xa-s3 or .mrap.',
      ),
    regions: z
      .array(text('a region', 'us-east-1'))
      .min(1)
      .meta({ examples: [['us-east-1']] })
      .optional()
      .describe('Regions of the hosts. Absent: those of the variable `region`.'),
    allowPathStyle: z
      .boolean()
      .default(false)
      .describe(
        'Open the hosts where the path names the bucket as well (`s3.us-east-1.amazonaws.com`), and with them every bucket.',
      ),
  })
  .describe(
    'S3 buckets and access points by every hostname that shows them: virtual-hosted, legacy, dual-stack, FIPS, accelerate, PrivateLink, Express One Zone, and websites on port 80.',
  );

const rule = z.strictObject({
  name: name.describe(
    'Unique; stands in logs, metrics and `explain`. Letters, digits, dots, underscores, hyphens.',
  ),
  hosts: z
    .array(text('a host pattern', 'api.example.com'))
    .min(1)
    .meta({ examples: [['api.example.com', '*.cdn.example.com']] })
    .optional()
    .describe(
      'Hostnames and patterns. `*` stands for one or more characters inside one label, a leading `**.` for one or more whole labels; neither matches the apex. `{name}` stands for a variable of `vars`. A tcp rule takes whole names only.',
    ),
  cidrs: z
    .array(text('an address or a block', '203.0.113.0/24'))
    .min(1)
    .meta({ examples: [['203.0.113.0/24']] })
    .optional()
    .describe('Destinations of a tcp rule: addresses and CIDR blocks, IPv4 and IPv6.'),
  presets: z
    .array(text('the name of a preset', 'docker-hub'))
    .min(1)
    .meta({ examples: [['docker-hub', 'ecr']] })
    .optional()
    .describe(
      'Lists of hosts that come with sallyport (`sallyport presets`), or with the policy in `presets.d/`. They bring their own ports.',
    ),
  s3: s3.optional(),
  ports: z
    .array(port)
    .min(1)
    .meta({ examples: [[443, 8443]] })
    .optional()
    .describe('Destination ports of `hosts` and `cidrs`. Absent: 443; a tcp rule says its own.'),
  protocol: z
    .enum(['named', 'tcp'])
    .default('named')
    .describe(
      'What a flow is judged by. `named`: the name it says, in TLS SNI, HTTP Host, CONNECT or SOCKS5. `tcp`: its destination, which must be an address that one of `hosts` resolves to, or lie in `cidrs`; what is said on the wire is not looked at, so that SSH, SMTP or a database can pass.',
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
    .optional()
    .describe(
      'Let these hosts resolve to private addresses (RFC 1918, fc00::/7, 100.64.0.0/10), and open those among `cidrs`. Absent: as the preset says, yes for `s3`, no for `hosts` and `cidrs`.',
    ),
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
    .optional()
    .describe('Addresses and CIDR blocks, IPv4 and IPv6.'),
  vpcEndpoints: z
    .array(text('a VPC endpoint id', 'vpce-08d2bf15fac5001c9'))
    .min(1)
    .meta({ examples: [['vpce-08d2bf15fac5001c9']] })
    .optional()
    .describe(
      'Interface endpoints (AWS PrivateLink) that clients come through, whatever their addresses; a listener with `proxyProtocol` is told by its load balancer. Whoever is in `cidrs` or comes through one of these is in the group.',
    ),
  mode: mode
    .optional()
    .describe(
      'A mode of its own for this group, which `observeUntil` does not touch. Of several groups one that has the VPC endpoint decides, then the narrowest block, and enforce among equals.',
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
      .record(
        z.string(),
        z
          .union([z.string(), z.array(z.string()).min(1)])
          .meta({ title: 'a text or a list of texts', examples: ['us-east-1'] }),
      )
      .default({})
      .describe(
        'Variables for `hosts`, presets and `s3`: `{region}` there stands for `region` here, or for each of a list.',
      ),
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
export type S3Input = z.output<typeof s3>;
