import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse as parseDomain } from 'tldts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadPolicy } from '../../src/config/load.ts';
import { loadShippedPresets } from '../../src/config/presets.ts';
import { IpAddress } from '../../src/policy/address.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { parseHostname } from '../../src/policy/hostname.ts';
import { Policy } from '../../src/policy/policy.ts';
import { expandPreset, type PresetCatalogue } from '../../src/policy/presets.ts';
import { s3Hosts } from '../../src/policy/s3.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { seen, written } from '../flow-log/support.ts';
import { decision } from '../observe/support.ts';
import { type SuggestedOptions, suggestFor } from '../support/suggest-for.ts';
import { fileWith, sallyport } from './support.ts';

const PARENTS = [
  'example.com',
  'cdn.example.com',
  'a.cdn.example.com',
  'example.co.uk',
  'co.uk',
  'com',
  'github.io',
  'me.github.io',
  'corp.internal',
  'internal',
  'azurecr.io',
  's3.us-east-1.amazonaws.com',
  's3.dualstack.eu-west-1.amazonaws.com',
  's3.amazonaws.com',
  'us-east-1.amazonaws.com',
  'dkr.ecr.us-east-1.amazonaws.com',
  'docker.io',
  'data.mcr.microsoft.com',
  'compute.amazonaws.com',
];
const LABELS = [
  'a',
  'b',
  'c',
  'd',
  'x-1',
  '_y',
  'logs',
  'kms',
  'kms-fips',
  '123456789012',
  'registry-1',
  'auth',
  'hub',
];
const WHOLE = [
  'docker.io',
  'hub.docker.com',
  'production.cloudflare.docker.com',
  'github.com',
  'localhost',
  'ghcr.io',
  'pkg-containers.githubusercontent.com',
  'mcr.microsoft.com',
  'api.ecr.us-east-1.amazonaws.com',
  's3.us-east-1.amazonaws.com',
  'sts.amazonaws.com',
];
const PORTS = [443, 443, 443, 443, 8443, 80];
const NOW = Date.UTC(2026, 10, 21);

const host = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...LABELS), fc.constantFrom(...PARENTS))
      .map(parts => parts.join('.')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...WHOLE) },
);
const flow = fc
  .record({
    hostname: host,
    port: fc.constantFrom(...PORTS),
    source: fc.constantFrom('10.12.4.1', '10.12.4.2', '10.12.5.1', '10.12.6.1', '2001:db8::1', '2001:db8::2'),
    destination: fc.constantFrom('54.1.1.1', '54.1.1.1', '10.0.0.9', null),
    state: fc.constantFrom('MATCHED', 'NO_MATCH', 'NO_MATCH', 'DENIED'),
  })
  .map(fields =>
    seen({
      ...fields,
      reason: { MATCHED: null, NO_MATCH: 'not_allowed', DENIED: 'rule_denied' }[fields.state],
    }),
  );

describe('what is suggested allows what was seen, and what its rules say, and nothing else', () => {
  it('for any flows', async () => {
    const [presets, file] = [await shipped(), fileWith('')];
    await fc.assert(
      fc.asyncProperty(
        fc.array(flow, { maxLength: 40 }),
        fc.record({ exact: fc.boolean(), bySource: fc.boolean(), minSiblings: fc.constantFrom(2, 3, 4) }),
        async (flows, options) => check(flows, { presets, file, ...options }),
      ),
      { numRuns: 150 },
    );
  });

  it('for fifty thousand flows to two thousand sites', async () => {
    const flows = manyFlows();
    const sites = new Set(flows.map(({ hostname, port }) => `${hostname}:${port}`));
    expect([flows.length, sites.size > 1_900]).toEqual([50_000, true]);
    const [presets, file] = [await shipped(), fileWith('')];
    for (const exact of [false, true])
      await check(flows, { presets, exact, bySource: false, minSiblings: 3, file });
  });
});

it('the same from the command line: what it prints loads, and replays without a loss', async () => {
  const events = manyFlows().map(({ hostname, port, source, destination, state }) => {
    const said =
      state === 'MATCHED'
        ? ({ action: 'allow', reason: null } as const)
        : ({ action: 'would-deny', reason: 'not_allowed' } as const);
    return decision({ hostname, dstPort: port, srcIp: source, dstIp: destination, state, ...said });
  });
  const log = fileWith(events.map(event => written('json', event).join('')).join(''), 'log.jsonl');
  const policy = fileWith('');
  for (const args of [[], ['--exact'], ['--by-source', '24'], ['--min-siblings', '2']]) {
    const { code, out, err } = await sallyport(['suggest', '--from', log, '--mode', 'enforce', ...args]);
    expect([code, err]).toEqual([0, '']);
    writeFileSync(policy, out);
    const checked = await sallyport(['check', policy]);
    expect([checked.code, checked.out]).toEqual([0, `${policy}: ok (policy)\n`]);
    const replayed = await sallyport(['replay', '--policy', policy, '--from', log, '--json']);
    expect(replayed.code).toBe(0);
    expect(JSON.parse(replayed.out)).toMatchObject({
      flows: 50_000,
      lost: 0,
      enforceWouldDrop: { flows: 0 },
    });
    const again = await sallyport(['suggest', '--from', log, '--existing', policy, ...args]);
    expect(parse(again.out).rules).toEqual([]);
  }
});

/** Deterministic, and shaped like traffic: few sites have most of it, and many are siblings. */
function manyFlows(): SeenFlow[] {
  let state = 42;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const sites = Array.from(
    { length: 2_000 },
    (_, i) =>
      ({
        hostname:
          i % 10 === 0
            ? `${pick(LABELS)}.${pick(PARENTS)}`
            : `h${i % 9}.s${i % 40}.d${i % 300}.${pick(['com', 'co.uk', 'example.net', 'internal'])}`,
        port: i % 13 === 0 ? 1_000 + (i % 70) : 443,
        destination: i % 17 === 0 ? '10.0.0.9' : '54.1.1.1',
        state: i % 3 === 0 ? 'NO_MATCH' : 'MATCHED',
      }) as const,
  );
  return Array.from({ length: 50_000 }, (_, i) => {
    const site = i < sites.length ? sites[i] : sites[Math.min(next(2_000), next(2_000))];
    const reason = site?.state === 'MATCHED' ? null : 'not_allowed';
    return seen({ ...site, reason, source: `10.12.${next(6)}.${next(250)}`, timeMs: NOW + i });
  });
}

interface Case extends SuggestedOptions {
  /** To write the policy to. */
  readonly file: string;
}

async function check(flows: readonly SeenFlow[], { file, ...options }: Case): Promise<void> {
  const { presets, exact, minSiblings } = options;
  const { suggestion, yaml } = suggestFor(flows, options);
  writeFileSync(file, yaml);
  const load = await loadPolicy(file, NOW);
  if (!load.ok) throw new Error(`${JSON.stringify(load.diagnostics)}\n${yaml}`);
  const policy = Policy.from(compilePolicy(load.policy));
  const stated = readStated(yaml, presets);

  const wanted = flows.filter(({ state }) => state !== 'DENIED');
  for (const one of wanted) {
    const ruling = decide(policy, one.hostname ?? '', one.port, one.source);
    if (ruling.state !== 'MATCHED') throw new Error(`${one.hostname}:${one.port} is not allowed by\n${yaml}`);
    if (one.destination === '10.0.0.9') expect(ruling.allowPrivate).toBe(true);
  }
  const hosts = [...new Set(flows.map(({ hostname }) => hostname ?? ''))];
  const probes = hosts.slice(0, 300).flatMap(probesOf);
  const sources = ['10.12.4.1', '10.12.7.1', '192.0.2.1', '2001:db8::2'];
  for (const probe of new Set([...hosts, ...probes])) {
    if (!parseHostname(probe).ok) continue;
    for (const port of [443, 80, 8443, 22]) {
      for (const source of sources) {
        const isAllowed = decide(policy, probe, port, source).state === 'MATCHED';
        if (isAllowed !== stated(probe, port, source)) {
          throw new Error(`${probe}:${port} from ${source} is ${isAllowed ? '' : 'not '}allowed by\n${yaml}`);
        }
      }
    }
  }
  for (const pattern of suggestion.rules.flatMap(rule => rule.hosts)) {
    if (!pattern.includes('*')) continue;
    expect(exact).toBe(false);
    expect(pattern).toMatch(/^\*\.[^*]+$/);
    const parent = pattern.slice(2);
    expect(parseDomain(parent, { allowPrivateDomains: true }).domain).not.toBeNull();
    const siblings = new Set(
      wanted.flatMap(({ hostname }) =>
        hostname !== null && hostname.split('.').slice(1).join('.') === parent ? [hostname] : [],
      ),
    );
    expect(siblings.size).toBeGreaterThanOrEqual(minSiblings);
    for (const { hostname, state } of flows) {
      if (state !== 'DENIED' || wanted.some(one => one.hostname === hostname)) continue;
      expect(hostname?.split('.').slice(1).join('.')).not.toBe(parent);
    }
  }
}

/** Reads the rules off the file by a plain reading of its text. */
function readStated(
  yaml: string,
  presets: PresetCatalogue,
): (host: string, port: number, source: string) => boolean {
  const { vars = {}, sources = {}, rules } = parse(yaml);
  const values = new Map(Object.entries(vars).map(([name, value]) => [name, [String(value)]]));
  const known: { pattern: RegExp; ports: readonly number[]; from: readonly string[] | null }[] = [];
  for (const { hosts = [], presets: names = [], s3, ports = [443], from } of rules) {
    const blocks = from?.flatMap((item: string) => sources[item]?.cidrs ?? [item]) ?? null;
    for (const pattern of hosts) known.push({ pattern: toRegExp(pattern), ports, from: blocks });
    for (const name of names) {
      const preset = presets.get(name);
      if (preset === undefined) throw new Error(name);
      const expansion = expandPreset(preset, values);
      if (!expansion.ok) throw new Error(name);
      for (const pattern of expansion.hosts)
        known.push({ pattern: toRegExp(pattern), ports: preset.ports, from: blocks });
    }
    if (s3 !== undefined) {
      const grant = { buckets: [], accessPoints: [], allowPathStyle: false, ...s3 };
      for (const { host: pattern, port } of s3Hosts(grant))
        known.push({ pattern: toRegExp(pattern), ports: [port], from: blocks });
    }
  }
  return (probe, port, source) =>
    known.some(
      ({ pattern, ports, from }) =>
        ports.includes(port) &&
        pattern.test(probe) &&
        (from === null || from.some(block => isIn(block, source))),
    );
}

function isIn(block: string, source: string): boolean {
  // Only /24, /32 and /128 occur.
  if (!block.includes('/')) return block === source;
  return (
    block.slice(0, block.lastIndexOf('.')) === source.slice(0, source.lastIndexOf('.')) &&
    source.includes('.')
  );
}

function toRegExp(pattern: string): RegExp {
  const deep = pattern.startsWith('**.');
  const labels = (deep ? pattern.slice(3) : pattern).split('.').map(label => label.replaceAll('*', '[^.]+'));
  return new RegExp(`^${deep ? '(?:[^.]+\\.)+' : ''}${labels.join('\\.')}$`);
}

/** Names near one that was seen. */
function probesOf(name: string): string[] {
  const [first = '', ...rest] = name.split('.');
  const parent = rest.join('.');
  return [
    `zz.${parent}`,
    `${first}z.${parent}`,
    `zz.${name}`,
    parent,
    `${name}.evil.test`,
    `evil${name}`,
    `${first}.zz.${parent}`,
  ];
}

function decide(policy: Policy, name: string, port: number, source: string) {
  const [hostname, address] = [parseHostname(name), IpAddress.parse(source)];
  if (!hostname.ok || address === null) throw new Error(`${name} from ${source}`);
  return policy.decide({ hostname: hostname.hostname, port, source: address, nowMs: NOW });
}

async function shipped(): Promise<PresetCatalogue> {
  const load = await loadShippedPresets();
  if (!load.ok) throw new Error('presets');
  return load.presets;
}
