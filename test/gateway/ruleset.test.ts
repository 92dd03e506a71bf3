import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../src/gateway/build-plan.ts';
import { difference } from '../../src/gateway/compare.ts';
import { addRouting, removeRouting, routingFamilies } from '../../src/gateway/policy-routing.ts';
import { listing, renderNft } from '../../src/gateway/render.ts';
import { buildRuleset } from '../../src/gateway/ruleset.ts';
import { loadScript, removeScript } from '../../src/gateway/script.ts';
import { listener, planOf } from './support.ts';

const EVERYTHING: Partial<PlanRequest> = {
  listeners: [
    listener({ interfaces: ['eth1', 'veth*'] }),
    listener({ name: 'alt', host: '127.0.0.1', port: 15_444, ports: [8443] }),
  ],
  except: ['10.0.0.0/8', 'fd00:1::/32'],
  strict: true,
  ownUid: 991,
};
const TPROXY: Partial<PlanRequest> = {
  listeners: [
    listener({ intercept: 'tproxy', interfaces: ['eth1'] }),
    listener({ name: 'v4', intercept: 'tproxy', host: '10.0.0.1', port: 15_444, ports: [8443] }),
  ],
};
const PLANS = [
  ['defaults', {}],
  ['everything', EVERYTHING],
  ['tproxy', TPROXY],
] as const;

const golden = (name: string) => join(import.meta.dirname, 'rulesets', name);

describe('the ruleset', () => {
  it.each(PLANS)('%s', async (name, differs) => {
    await expect(renderNft(buildRuleset(planOf(differs)))).toMatchFileSnapshot(golden(`${name}.nft`));
  });

  it.each(PLANS)('%s: every rule says why, in what the kernel can keep', (_, differs) => {
    for (const { comment } of buildRuleset(planOf(differs)).flatMap(({ rules }) => rules)) {
      expect(comment).toMatch(/^[^"\n]{3,127}$/);
    }
  });

  it.each(PLANS)('%s: every chain stands before those that jump to it', (_, differs) => {
    const seen = new Set<string>();
    for (const { name, rules } of buildRuleset(planOf(differs))) {
      for (const { text } of rules.flatMap(({ statements }) => statements)) {
        if (text.startsWith('jump ')) expect(seen).toContain(text.slice(5));
      }
      expect(seen).not.toContain(name);
      seen.add(name);
    }
  });
});

describe('the script', () => {
  it('of a tproxy listener has its policy routing', async () => {
    const plan = planOf(TPROXY);
    const script = loadScript(renderNft(buildRuleset(plan)), addRouting(routingFamilies(plan)));
    await expect(script).toMatchFileSnapshot(golden('tproxy.sh'));
  });

  it('that removes takes away the policy routing, whether there is any or not', async () => {
    await expect(removeScript(removeRouting())).toMatchFileSnapshot(golden('remove.sh'));
  });
});

describe('difference', () => {
  const expected = listing(buildRuleset(planOf(EVERYTHING)));
  const changed = (change: (text: string) => string) => JSON.parse(change(JSON.stringify(expected)));

  it.each<[string, (text: string) => string]>([
    ['counts', text => text.replaceAll('"counter":null', '"counter":{"packets":7,"bytes":420}')],
    ['handles', text => text.replaceAll('"rule":{', '"rule":{"handle":12,')],
    ['the order inside a set', text => text.replaceAll('{"set":[80,443]}', '{"set":[443,80]}')],
    [
      'the order of the states of a flow',
      text => text.replaceAll('["established","related"]', '["related","established"]'),
    ],
    ['a list of one written as that one', text => text.replaceAll('"flags":["daddr"]', '"flags":"daddr"')],
    [
      'the default of reject left away',
      text => text.replaceAll('{"type":"icmpx","expr":"port-unreachable"}', 'null'),
    ],
    ['another comment', text => text.replaceAll('QUIC', 'UDP')],
  ])('is none in %s', (_, change) => {
    expect(changed(change)).not.toEqual(expected);
    expect(difference(expected, changed(change))).toBeNull();
  });

  it.each<[string, (text: string) => string, RegExp]>([
    ['another port', text => text.replaceAll('15443', '15444'), /chain to-gw, rule 1 \(.+\) is missing/],
    ['another set', text => text.replaceAll('[80,443]', '[80]'), /chain to-gw, rule 1/],
    ['another user', text => text.replaceAll('991', '0'), /chain output, rule 1/],
    [
      'another policy',
      text => text.replaceAll('"policy":"accept"', '"policy":"drop"'),
      /chain prerouting is/,
    ],
    [
      'another verdict',
      text => text.replaceAll('{"accept":null}', '{"drop":null}'),
      /chain left-alone, rule 1/,
    ],
    [
      'another name',
      text => text.replaceAll('past-gw', 'past-xx'),
      /chain forward, rule|chain past-gw is missing/,
    ],
  ])('is %s', (_, change, why) => {
    expect(difference(expected, changed(change))).toMatch(why);
  });

  it.each([
    ['nothing', []],
    ['what is no listing', [null, 7, 'text', [], { rule: null }, { chain: 'x' }]],
  ])('is everything when there is %s', (_, loaded) => {
    expect(difference(expected, loaded)).toMatch(/^chain .* is missing$/);
  });
});
