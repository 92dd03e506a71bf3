import { once } from 'node:events';
import { beforeAll, expect, it } from 'vitest';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { ACCESS_DENIED_ALERT, CURL } from '../support/lab-clients.ts';
import { gatewayShell, loadNetfilter, NO_RULES } from '../support/lab-netfilter.ts';
import { describeInLab, flowOf, type LabSuite, useGateway } from '../support/lab-suite.ts';
import { askUdp, startUdpEcho } from '../support/lab-udp.ts';

const policy = { mode: 'enforce', rules: [{ name: 'site', hosts: ['allowed.example'] }] };
const FAMILIES = [V4, V6];
const REFUSED = 'ECONNREFUSED';

function withServers(suite: LabSuite): void {
  beforeAll(() => startUdpEcho(suite.lab, [53, 80, 123, 443, 5000], [V4.site, V6.site]));
}

describeInLab(
  'a gateway with the rules of sallyport netfilter',
  suite => {
    const gateway = useGateway(suite, { policy });
    withServers(suite);
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath, ['--interface', 'lan']));

    it.each(FAMILIES)('leads $client to the listener, which knows where it wanted to go', async family => {
      const { result, decision } = await flowOf(gateway(), () =>
        suite.clients.https('allowed.example', family.site),
      );
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(result.answer).toMatchObject({ server: family.site, peer: family.wan });
      expect(decision).toMatchObject({ src_ip: family.client, dst_ip: family.site, action: 'allow' });
    });

    it.each(FAMILIES)('lets $client past to no name that is denied', async family => {
      const { result } = await flowOf(gateway(), () => suite.clients.tls(family.site, 'denied.example'));
      expect(result.stderr).toContain(ACCESS_DENIED_ALERT);
    });

    it.each(FAMILIES)('refuses QUIC of $client at once, on every port that is intercepted', async family => {
      expect(await askUdp(suite.lab, 'client', family.site, 443)).toBe(REFUSED);
      expect(await askUdp(suite.lab, 'client', family.site, 80)).toBe(REFUSED);
    });

    it.each(FAMILIES)('lets DNS and other UDP of $client pass', async family => {
      expect(await askUdp(suite.lab, 'client', family.site, 53)).toBe('answer');
      expect(await askUdp(suite.lab, 'client', family.site, 5000)).toBe('answer');
    });

    it('leaves the metadata address alone, on the ports that it intercepts as well', async () => {
      const metadata = '169.254.169.254';
      await suite.lab.run('server', 'ip', ['address', 'add', `${metadata}/32`, 'dev', 'eth0']);
      await gatewayShell(suite.lab, `ip route add ${metadata} via ${V4.site}`);
      await startUdpEcho(suite.lab, [80], [metadata]);
      expect(await askUdp(suite.lab, 'client', metadata, 80)).toBe('answer');
    });

    it('has counted both', async () => {
      const rules = await gatewayShell(suite.lab, 'nft list table inet sallyport');
      expect(rules).toMatch(/counter packets [1-9]\d* bytes \d+ redirect/);
      expect(rules).toMatch(/counter packets [1-9]\d* bytes \d+ reject comment "QUIC/);
    });
  },
  NO_RULES,
);

/** Connects, says so, and then sends its input on; says how that ended. */
const LONG_CLIENT = `
const socket = require('node:net').connect(443, process.argv[1], () => process.stdout.write('connected'));
socket.on('error', error => { process.stdout.write(error.code); process.exit(); });
process.stdin.pipe(socket);`;

describeInLab(
  'a flow that is older than the rules',
  suite => {
    it.each(FAMILIES)('from $client, on an intercepted port, is cut', async family => {
      const { lab } = suite;
      await gatewayShell(lab, 'nft flush ruleset');
      const client = lab.spawn('client', process.execPath, ['-e', LONG_CLIENT, family.site]);
      const [connected] = await once(client.stdout, 'data');
      expect(String(connected)).toBe('connected');
      await loadNetfilter(lab, gateway().configPath, ['--interface', 'lan']);
      const said = once(client.stdout, 'data');
      client.stdin.write('something more');
      expect(String((await said)[0])).toBe('ECONNRESET');
    });

    const gateway = useGateway(suite, { policy });
  },
  NO_RULES,
);

describeInLab(
  'a gateway whose listener serves IPv4 alone',
  suite => {
    const gateway = useGateway(suite, { policy, address: `0.0.0.0:${REDIRECT_PORT}` });
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath));

    it('leads IPv4 there, and refuses IPv6', async () => {
      const { result } = await flowOf(gateway(), () => suite.clients.https('allowed.example', V4.site));
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(await suite.clients.https('allowed.example', V6.site)).toMatchObject({
        code: CURL.cannotConnect,
      });
    });
  },
  NO_RULES,
);

describeInLab(
  'with --strict',
  suite => {
    const gateway = useGateway(suite, { policy });
    withServers(suite);
    const load = (...options: string[]) =>
      loadNetfilter(suite.lab, gateway().configPath, ['--interface', 'lan', ...options]);
    beforeAll(() => load('--strict'));

    it.each(FAMILIES)('intercepted flows of $client, DNS and NTP go on as without it', async family => {
      const { result } = await flowOf(gateway(), () => suite.clients.https('allowed.example', family.site));
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(await askUdp(suite.lab, 'client', family.site, 53)).toBe('answer');
      expect(await askUdp(suite.lab, 'client', family.site, 123)).toBe('answer');
      expect(await askUdp(suite.lab, 'client', family.site, 443)).toBe(REFUSED);
    });

    it.each(FAMILIES)('whatever else $client sends is refused at once', async family => {
      expect(await askUdp(suite.lab, 'client', family.site, 5000)).toMatch(/^(EHOSTUNREACH|EACCES)$/);
      const tcp = await suite.clients.http(family.site, 5000);
      expect(tcp.code).toBe(CURL.cannotConnect);
      expect(await gatewayShell(suite.lab, 'nft list chain inet sallyport strict')).toMatch(
        /meta l4proto tcp counter packets [1-9]/,
      );
    });

    it.each(FAMILIES)('what the network at $mirror complains of reaches the client', async family => {
      // NTP, which no rule here refuses, and nobody answers.
      expect(await askUdp(suite.lab, 'client', family.mirror, 123)).toBe(REFUSED);
    });
  },
  NO_RULES,
);

describeInLab(
  'with netfilter.except',
  suite => {
    const except = [`${V4.attacker}/32`, V6.attacker];
    const gateway = useGateway(suite, { policy, netfilter: { except } });
    withServers(suite);
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath));

    it.each(FAMILIES)('$attacker is reached past the listener', async family => {
      const visit = await suite.clients.https('denied.example', family.attacker);
      expect(visit.answer).toMatchObject({ server: family.attacker, peer: family.client });
    });

    it.each(FAMILIES)('$site is not', async family => {
      const { result } = await flowOf(gateway(), () => suite.clients.tls(family.site, 'denied.example'));
      expect(result.stderr).toContain(ACCESS_DENIED_ALERT);
    });
  },
  NO_RULES,
);

/** As container engines publish ports. */
const PUBLISHED = `table ip published {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr ${V4.lan} tcp dport 8443 dnat to ${V4.site}:443
  }
}
`;

describeInLab(
  'a port that another table publishes',
  suite => {
    const gateway = useGateway(suite, { policy });
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath, ['--strict']));

    it('is reached, though it leads to an intercepted one', async () => {
      const visit = await suite.clients.https('denied.example', V4.lan, { port: 8443 });
      expect(visit.answer, visit.stderr).toMatchObject({ server: V4.site, peer: V4.client });
    });
  },
  PUBLISHED,
);

describeInLab(
  'a listener on loopback',
  suite => {
    const gateway = useGateway(suite, { policy, address: `127.0.0.1:${REDIRECT_PORT}` });
    beforeAll(() => loadNetfilter(suite.lab, gateway().configPath, ['--interface', 'lan']));

    it('is reached once route_localnet allows it', async () => {
      await gatewayShell(suite.lab, 'sysctl -qw net.ipv4.conf.lan.route_localnet=1');
      const { result, decision } = await flowOf(gateway(), () =>
        suite.clients.https('allowed.example', V4.site),
      );
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(decision).toMatchObject({ dst_ip: V4.site, action: 'allow' });
    });
  },
  NO_RULES,
);
