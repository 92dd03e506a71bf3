import { expect, it } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const policy = {
  mode: 'enforce',
  sources: {
    neighbours: { cidrs: [V4.neighbour, V6.neighbour] },
    lagging: { cidrs: [V4.client, V6.client], mode: 'observe' },
  },
  rules: [
    { name: 'neighbours-only', hosts: ['allowed.example'], from: ['neighbours'] },
    { name: 'by-block', hosts: ['twice.example'], from: ['192.0.2.2/31', '2001:db8:1::2/127'] },
  ],
};

describeInLab('rules for some sources, on one dual-stack listener', suite => {
  const gateway = useGateway(suite, { policy });

  it.each([V4, V6])('allow $neighbour what its group may', async family => {
    const visit = () => suite.clients.https('allowed.example', family.site, { from: family.neighbour });
    const { result, decision } = await flowOf(gateway(), visit);
    expect(result.code, result.stderr).toBe(CURL.ok);
    expect(decision).toMatchObject({ src_ip: family.neighbour, action: 'allow', rule: 'neighbours-only' });
  });

  it.each([V4, V6])(
    'hold what only others may against $client, in the mode of its own group',
    async family => {
      const visit = () => suite.clients.https('allowed.example', family.site);
      const { result, decision } = await flowOf(gateway(), visit);
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(decision).toMatchObject({ src_ip: family.client, action: 'would-deny', reason: 'not_allowed' });
    },
  );

  it.each([V4, V6])('allow $client what its block may', async family => {
    const { decision } = await flowOf(gateway(), () => suite.clients.https('twice.example', family.site));
    expect(decision).toMatchObject({ src_ip: family.client, action: 'allow', rule: 'by-block' });
  });

  it.each([V4, V6])('refuse $neighbour what no rule allows', async family => {
    const visit = () => suite.clients.https('denied.example', family.site, { from: family.neighbour });
    const { result, decision } = await flowOf(gateway(), visit);
    expect(result.answer).toBeNull();
    expect(decision).toMatchObject({ src_ip: family.neighbour, action: 'deny', reason: 'not_allowed' });
  });
});
