import { beforeAll, expect, it } from 'vitest';
import { V4, V6 } from '../support/lab.ts';
import { loadNetfilter, NO_RULES } from '../support/lab-netfilter.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';
import { askUdp, asUser, startUdpEcho } from '../support/lab-udp.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example'] }] };
const FAMILIES = [V4, V6];
/** The daemon of these tests runs as root, and is taken for what sallyport sends itself. */
const OWN = 0;
const SOMEBODY = 65_534;

describeInLab(
  'what the gateway itself sends, with --local',
  suite => {
    const gateway = useGateway(suite, { policy });
    beforeAll(async () => {
      await startUdpEcho(suite.lab, [53, 443], [V4.site, V6.site]);
      await loadNetfilter(suite.lab, gateway().configPath, ['--local', '--user', String(OWN)]);
    });

    const curl = (uid: number, name: string, address: string) => {
      const target = address.includes(':') ? `[${address}]` : address;
      const options = ['-sSk', '--max-time', '10', '--resolve', `${name}:443:${target}`];
      return suite.lab.run('gateway', 'setpriv', asUser(uid, ['curl', ...options, `https://${name}/`]));
    };

    it.each(FAMILIES)('to $site is intercepted, and what the filter dials is not', async family => {
      const { result, decision } = await flowOf(gateway(), () =>
        curl(SOMEBODY, 'allowed.example', family.site),
      );
      expect(JSON.parse(result.stdout), result.stderr).toMatchObject({ server: family.site });
      expect(decision).toMatchObject({ hostname: 'allowed.example', dst_ip: family.site, action: 'allow' });
    });

    it.each(FAMILIES)('to $site is refused where no rule allows it', async family => {
      const { result, decision } = await flowOf(gateway(), () =>
        curl(SOMEBODY, 'denied.example', family.site),
      );
      expect(result.stdout).toBe('');
      expect(decision).toMatchObject({ hostname: 'denied.example', action: 'deny', reason: 'not_allowed' });
    });

    it.each(FAMILIES)('to $site goes past when the user of sallyport sends it', async family => {
      const from = gateway().lines.length;
      const { stdout } = await curl(OWN, 'denied.example', family.site);
      expect(JSON.parse(stdout)).toMatchObject({ server: family.site, servername: 'denied.example' });
      await flowOf(gateway(), () => curl(SOMEBODY, 'allowed.example', family.site));
      const decided = gateway()
        .lines.slice(from)
        .filter(line => line.event === 'decision');
      expect(decided.map(line => line.hostname)).toEqual(['allowed.example']);
    });

    it.each(FAMILIES)('to $site by QUIC is refused at once, DNS is not', async family => {
      const ask = (port: number, uid: number) => askUdp(suite.lab, 'gateway', family.site, port, { uid });
      expect(await ask(443, SOMEBODY)).toBe('ECONNREFUSED');
      expect(await ask(53, SOMEBODY)).toBe('answer');
      expect(await ask(443, OWN)).toBe('answer');
    });
  },
  NO_RULES,
);
