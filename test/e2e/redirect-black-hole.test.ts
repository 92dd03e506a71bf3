import { afterAll, beforeAll, expect, it } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example', 'twice.example'] }] };

/** Nothing comes back from the site, not even a refusal. */
const BLACK_HOLE = `table inet hole {
  chain input {
    type filter hook input priority filter; policy accept;
    ip daddr ${V4.site} drop
    ip6 daddr ${V6.site} drop
  }
}
`;

describeInLab('an upstream address that swallows packets', suite => {
  const gateway = useGateway(suite, { policy, limits: { dialTimeout: '2s' } });
  beforeAll(async () => {
    const { code, stderr } = await suite.lab.run('server', 'nft', [BLACK_HOLE]);
    expect(code, stderr).toBe(0);
  });
  afterAll(() => suite.lab.run('server', 'nft', ['delete', 'table', 'inet', 'hole']));

  it.each([V4, V6])('is left for the next one of the name ($site)', async family => {
    const { result, decision, close } = await flowOf(gateway(), () =>
      suite.clients.https('twice.example', family.site),
    );
    expect([V4.mirror, V6.mirror], result.stderr).toContain(result.answer?.server);
    expect(decision).toMatchObject({ action: 'allow' });
    expect(close).toMatchObject({ dst_ip: result.answer?.server });
  });

  it('that is the only one: the client is reset after dialTimeout, and the flow says dial_failed', async () => {
    const { result, decision, close } = await flowOf(gateway(), () =>
      suite.clients.https('allowed.example', V4.site),
    );
    expect([result.code !== CURL.ok, result.code !== CURL.timeout, result.answer]).toEqual([
      true,
      true,
      null,
    ]);
    expect(decision).toMatchObject({ action: 'allow', state: 'MATCHED' });
    expect(close).toMatchObject({ end: 'dial_failed', bytes_out: 0, bytes_in: 0 });
    expect(Number(close.duration_ms)).toBeGreaterThanOrEqual(2_000);
  });
});
