import assert from 'node:assert/strict';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { formatDiagnostic } from '../../../src/config/diagnostics.ts';
import { parsePolicySources } from '../../../src/config/load.ts';
import { IpAddress } from '../../../src/policy/address.ts';
import { compilePolicy } from '../../../src/policy/compile.ts';
import { decideDestination } from '../../../src/policy/decide-destination.ts';
import type { Ruling } from '../../../src/policy/decision.ts';
import { explain } from '../../../src/policy/explain.ts';
import { type Hostname, parseHostname } from '../../../src/policy/hostname.ts';
import { Policy, type TcpQuery } from '../../../src/policy/policy.ts';
import { packTcpAddresses, TcpAddresses } from '../../../src/policy/tcp-addresses.ts';
import { approaches, policyDocuments, queriesNear, zones } from '../inputs/policies.ts';
import type { PolicyDocument, QueryDocument, Zone } from '../policy/document.ts';
import { blockHolds } from '../policy/naive-address.ts';
import { patternHolds } from '../policy/naive-pattern.ts';
import { type NaiveAnswer, NaivePolicy } from '../policy/naive-policy.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const NOW = Date.UTC(2026, 10, 21);
const inputs = fc.record({
  policy: policyDocuments,
  zone: zones,
  approaches: fc.array(approaches, { minLength: 1, maxLength: 25 }),
});

async function load(document: PolicyDocument): Promise<Policy> {
  const text = stringify(document);
  const source = { file: 'policy.yaml', text, bytes: new TextEncoder().encode(text) };
  const loaded = await parsePolicySources({ files: [source], presets: [] }, NOW);
  if (!loaded.ok) throw new Error(loaded.diagnostics.map(formatDiagnostic).join('\n'));
  return Policy.from(compilePolicy(loaded.policy));
}

const decides = property('a policy decides as a plain reading of its rules does', inputs, async input => {
  const naive = new NaivePolicy(input.policy);
  const policy = await load(input.policy);
  const known = knownOf(input.zone);
  for (const query of queriesNear(input.policy, naive, input.approaches)) {
    const asked = tcpQuery(query);
    const named = policy.decide(asked);
    const expected = naive.decide(query);
    assertRuling(policy, named, expected, query);
    assert.equal(named.mode, naive.mode(query), `mode for ${JSON.stringify(query)}`);
    const rule = named.rule < 0 ? undefined : naive.rule(policy.ruleName(named.rule));
    assert.equal(named.ech, rule?.ech ?? input.policy.ech);
    if (named.state === 'MATCHED' && rule !== undefined) {
      const said = naive.hostsOf(rule).filter(({ pattern }) => patternHolds(pattern, query.hostname));
      assert.ok(
        said.some(({ allowPrivate }) => allowPrivate === named.allowPrivate),
        'allowPrivate',
      );
    }
    for (const isAsked of [true, false]) {
      const ruling = policy.decideTcp({ ...asked, hostname: isAsked ? asked.hostname : null }, known);
      const wanted = naive.decideTcp(query, input.zone, isAsked);
      if (wanted === null || ruling === null) assert.equal(ruling, wanted, JSON.stringify(query));
      else assertRuling(policy, ruling, wanted, query);
    }
  }
  return undefined;
});

const explains = property(
  'an explanation says what is decided, by a pattern that matches',
  inputs,
  async input => {
    const naive = new NaivePolicy(input.policy);
    const policy = await load(input.policy);
    const known = knownOf(input.zone);
    for (const query of queriesNear(input.policy, naive, input.approaches)) {
      const asked = tcpQuery(query);
      const said = explain(policy, asked, { known });
      assert.deepEqual(said.ruling, { ...decideDestination(policy, asked, known) });
      const isAllowed = said.ruling.state === 'MATCHED';
      assert.equal(said.action, isAllowed ? 'allow' : said.ruling.mode === 'observe' ? 'would-deny' : 'deny');
      if (said.rule !== null) {
        const { pattern } = said.rule;
        assert.equal(said.rule.name, policy.ruleName(said.ruling.rule));
        const { address, hostname } = query;
        const names = [
          hostname,
          ...Object.keys(input.zone).filter(name => address !== null && input.zone[name]?.includes(address)),
        ];
        const isBlock = pattern.includes('/');
        assert.ok(
          isBlock
            ? address !== null && blockHolds(pattern, address)
            : names.some(name => patternHolds(pattern, name)),
          `${pattern} does not match ${JSON.stringify(query)}`,
        );
      }
      for (const miss of said.nearMisses) assert.notEqual(naive.rule(miss.rule), undefined);
      assert.ok(!isAllowed || said.nearMisses.length === 0);
    }
    return undefined;
  },
);

function assertRuling(policy: Policy, ruling: Ruling, expected: NaiveAnswer, query: QueryDocument): void {
  const what = JSON.stringify({ query, expected });
  assert.equal(ruling.state, expected.state, what);
  if (expected.rules.length === 0) assert.equal(ruling.rule, -1, what);
  else
    assert.ok(
      expected.rules.includes(policy.ruleName(ruling.rule)),
      `${policy.ruleName(ruling.rule)}: ${what}`,
    );
}

function knownOf(zone: Zone): TcpAddresses {
  const hosts = Object.entries(zone).map(([name, addresses]) => ({
    hostname: hostnameOf(name),
    addresses: addresses.map(addressOf),
  }));
  return TcpAddresses.from(packTcpAddresses(hosts));
}

function tcpQuery({ hostname, port, source, nowMs, address }: QueryDocument): TcpQuery {
  return {
    hostname: hostnameOf(hostname),
    port,
    source: addressOf(source),
    nowMs,
    address: address === null ? null : addressOf(address),
  };
}

function hostnameOf(text: string): Hostname {
  const parsed = parseHostname(text);
  if (!parsed.ok) throw new Error(`${text} is no hostname: ${parsed.fault}`);
  return parsed.hostname;
}

function addressOf(text: string): IpAddress {
  const address = IpAddress.parse(text);
  if (address === null) throw new Error(`${text} is no address`);
  return address;
}

/** The compiled policy, from its text to its answers. */
export const policy: Target = {
  name: 'policy',
  summary: 'random policies and queries near them: the engine beside a plain reading of the rules; explain',
  shortRuns: 30,
  open: async () => ({ properties: [decides, explains], missing: [] }),
};
