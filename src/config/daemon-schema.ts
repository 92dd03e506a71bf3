import { z } from 'zod';
import { IpAddress } from '../policy/address.ts';
import { parseHostname } from '../policy/hostname.ts';
import { HOSTNAME_FAULTS } from '../tls-sni/index.ts';
import { cidr, ip } from './address-scalars.ts';
import { formatKeys } from './format-keys.ts';
import { interceptedInterfaces, interceptedPorts, netfilter } from './netfilter-schema.ts';
import { port } from './port.ts';
import { proxyProtocolKeys } from './proxy-protocol-schema.ts';
import { parseDuration, parseName, parseSize, type ScalarResult, scalar } from './scalars.ts';
import { formatSocketAddress, parseSocketAddress } from './socket-address.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const name = scalar('a name', ['proxy'], parseName);
const address = (example: string) => scalar('an address with a port', [example], parseSocketAddress);
const duration = (example: string, leastMs = 1) =>
  scalar('a duration with a unit', [example], text => parseDuration(text, leastMs));
const size = (example: string) =>
  scalar('a size with a unit', [example], text => parseSize(text, 1024, 1024 * 1024));
const count = (least: number) => z.int().min(least).max(0x7fffffff);
const auto = <T extends z.ZodType>(number: T, title: string) =>
  z.union([z.literal('auto'), number]).meta({ title, examples: ['auto'] });

const listenerName = name.describe('Unique; stands in logs and metrics.');
const listenerAddress = address('127.0.0.1:3128').describe('Where to listen; port 0 lets the system choose.');

const explicit = z
  .strictObject({
    name: listenerName,
    kind: z.literal('explicit').describe('What speaks here.'),
    address: listenerAddress,
    ...proxyProtocolKeys,
  })
  .describe('A forward proxy: CONNECT, SOCKS5, and plain HTTP by its absolute form.');

const sni = z
  .strictObject({
    name: listenerName,
    kind: z.literal('sni').describe('What speaks here.'),
    address: listenerAddress,
    upstreamPort: port
      .default(443)
      .describe('The port to dial at the named host, and the port rules are held against.'),
    ...proxyProtocolKeys,
  })
  .describe('TLS straight at us: DNS or a hosts file points here.');

const transparent = z
  .strictObject({
    name: listenerName,
    kind: z.literal('transparent').describe('What speaks here.'),
    address: listenerAddress,
    intercept: z
      .enum(['redirect', 'tproxy'])
      .describe(
        'How traffic is sent here: an nftables or iptables REDIRECT, or TPROXY, which needs CAP_NET_RAW and policy routing.',
      ),
    sourceAddress: z
      .enum(['own', 'keep'])
      .default('own')
      .describe(
        "The address that upstreams see. keep: the client's, with intercept: tproxy; the answers must be routed back through this host.",
      ),
    destination: z
      .enum(['resolve', 'verify', 'original'])
      .default('resolve')
      .describe(
        "What to dial in enforce mode. resolve: an address resolved for the name, the client's own when it is among them; verify: refuse when it is not; original: the client's own.",
      ),
    ports: interceptedPorts,
    interfaces: interceptedInterfaces,
    ...proxyProtocolKeys,
  })
  .describe('Intercepted traffic that was meant for somewhere else.');

const limits = z.strictObject({
  flows: auto(count(1), 'auto or a number of flows')
    .default('auto')
    .describe('Open flows in all; auto: what the descriptor limit allows.'),
  flowsPerSource: count(0).default(0).describe('Open flows of one source address; 0: no limit.'),
  undecided: count(0)
    .default(4096)
    .describe(
      'Connections whose hello or request has not come whole, in all; newcomers are reset. 0: no limit.',
    ),
  undecidedPerSource: count(0)
    .default(128)
    .describe('The same of one source address. Raise it where one address stands for many clients.'),
  lookupsPerSource: count(0)
    .default(100)
    .describe(
      "New names a second that one source may have looked up, ten seconds' worth at once; 0: no limit.",
    ),
  helloTimeout: duration('5s').prefault('5s').describe('From accept to a whole ClientHello or request head.'),
  helloBytes: size('64KiB').prefault('64KiB').describe('The largest ClientHello, 1KiB to 1MiB.'),
  dialTimeout: duration('10s').prefault('10s').describe('For one upstream, all its addresses together.'),
  idleTimeout: duration('1h').prefault('1h').describe('A flow without a byte in either direction is closed.'),
  drainTimeout: duration('25s', 0).prefault('25s').describe('How long open flows may go on after SIGTERM.'),
});

const sites = z.strictObject({
  store: scalar('memory or a path to a .db file', ['memory', './data/sallyport.db'], parseStore)
    .prefault('memory')
    .describe('Where sites are kept: memory, or a file ending in .db, relative to this file.'),
  maxSites: z
    .int()
    .min(1)
    .max(250_000)
    .default(10_000)
    .describe('Sites at most, each counted once a source; those not seen for longest make room.'),
  maxAge: scalar('a duration with a unit', ['90d'], text => parseDuration(text, HOUR_MS, 400 * DAY_MS))
    .prefault('90d')
    .describe('A site that a source was not seen at for so long is forgotten.'),
});

/** `sallyport.yaml`: everything that a single value can say; `buildDaemonConfig` holds values against each other. */
export const daemonSchema = z
  .strictObject({
    ...formatKeys,
    gateway: name
      .optional()
      .describe('The name in logs; absent: family and id of the ECS task, else the host name.'),
    policy: z
      .string()
      .min(1)
      .meta({ title: 'a path', examples: ['./policy.yaml'] })
      .default('./policy.yaml')
      .describe('The policy: a file, or a directory of *.yaml, relative to this file.'),
    dataplane: z
      .enum(['auto', 'epoll', 'portable'])
      .default('auto')
      .describe('auto: epoll where it is available.'),
    workers: auto(z.int().min(1).max(256), 'auto or a number of threads')
      .default('auto')
      .describe('Worker threads; auto: one a core.'),
    listeners: z
      .array(z.discriminatedUnion('kind', [explicit, sni, transparent]))
      .min(1)
      .meta({ examples: [[{ name: 'proxy', kind: 'explicit', address: '127.0.0.1:3128' }]] })
      .describe('Where clients come in.'),
    admin: z
      .strictObject({
        address: address('127.0.0.1:9464')
          .prefault('127.0.0.1:9464')
          .describe('Where the admin API and metrics are served.'),
        tokenFile: z
          .string()
          .min(1)
          .meta({ title: 'a path', examples: ['/run/secrets/sallyport-token'] })
          .optional()
          .describe('A file with the bearer token for changes, relative to this file; read at each use.'),
        tokenFor: z
          .enum(['changes', 'all'])
          .default('changes')
          .describe('What wants the token: changes, or everything but `/-/healthy` and `/-/ready`.'),
        hostnames: z
          .array(scalar('a hostname', ['sallyport.internal'], parseOwnName))
          .default([])
          .describe('Names by which the admin address may be asked, besides localhost and addresses.'),
      })
      .prefault({})
      .describe('Health, metrics and the admin API.'),
    log: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('The least severe level that is written.'),
        format: z
          .enum(['json', 'text'])
          .default('json')
          .describe('One JSON object a line, or the key=value text.'),
        fold: duration('10s', 0)
          .prefault('10s')
          .describe(
            'Identical decisions (source, destination, port, outcome) are said once in this time, then with the count of those in between as `suppressed`; 0s: each by itself.',
          ),
      })
      .prefault({})
      .describe('The log, on standard output.'),
    dns: z
      .strictObject({
        servers: z
          .array(scalar('a DNS server', ['10.0.0.2'], parseServer))
          .default([])
          .describe("Addresses of DNS servers, with a port if it is not 53; none: the system's."),
        hosts: z
          .record(
            z.string(),
            z
              .union([ip, z.array(ip).min(1)])
              .meta({ title: 'an address or a list of them', examples: ['10.1.2.3'] }),
          )
          .default({})
          .describe('Names with addresses of their own, which are not looked up.'),
      })
      .prefault({})
      .describe('How names are resolved.'),
    destinations: z
      .strictObject({
        allow: z
          .array(cidr)
          .default([])
          .describe('Private blocks that may be dialled whatever the rule says.'),
        deny: z.array(cidr).default([]).describe('More blocks that are never dialled.'),
      })
      .prefault({})
      .describe('Which addresses may be dialled, after resolution.'),
    netfilter: netfilter
      .prefault({})
      .describe('The ruleset that `sallyport netfilter` makes; `run` does not touch the kernel.'),
    sites: sites.prefault({}).describe('What is learnt of the traffic, for discovery.'),
    limits: limits.prefault({}).describe('Bounds of time, size and number.'),
    onDeny: z
      .enum(['alert', 'reset', 'drop'])
      .default('alert')
      .describe('What a refused client sees: a TLS alert, 403 or SOCKS refusal; a reset; or nothing.'),
    onPolicyChange: z
      .enum(['keep', 'close'])
      .default('keep')
      .describe('What becomes of open flows that a new policy refuses.'),
  })
  .describe('sallyport daemon configuration: where it listens and how it runs. Read once, at start.');

export type DaemonInput = z.output<typeof daemonSchema>;

function parseOwnName(text: string): ScalarResult<string> {
  const parsed = parseHostname(text);
  if (parsed.ok) return { ok: true, value: parsed.hostname };
  const message = `${JSON.stringify(text)} is no hostname: ${HOSTNAME_FAULTS[parsed.fault]}`;
  return { ok: false, message, fix: 'write a name without port, such as sallyport.internal' };
}

function parseServer(text: string): ScalarResult<string> {
  if (IpAddress.parse(text) !== null) return { ok: true, value: text };
  const parsed = parseSocketAddress(text);
  if (parsed.ok && parsed.value.port > 0) return { ok: true, value: formatSocketAddress(parsed.value) };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no DNS server`,
    fix: 'write 10.0.0.2, 10.0.0.2:53 or [fd00::2]:53',
  };
}

function parseStore(text: string): ScalarResult<string | null> {
  if (text === 'memory') return { ok: true, value: null };
  // Any other name is a word misspelt, or a file of something else, which is not to be written over.
  if (/[^/]\.db$/.test(text)) return { ok: true, value: text };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is neither memory nor a .db file`,
    fix: 'write memory or ./data/sallyport.db',
  };
}
