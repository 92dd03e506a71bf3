import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, it } from 'vitest';
import { runChecks } from '../../src/gateway/checks.ts';
import { addRouting, removeRouting, routingFamilies } from '../../src/gateway/policy-routing.ts';
import { renderNft } from '../../src/gateway/render.ts';
import { buildRuleset } from '../../src/gateway/ruleset.ts';
import { loadScript, removeScript } from '../../src/gateway/script.ts';
import { listener as intercepted, planOf } from '../gateway/support.ts';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { gatewayKernel, gatewayShell, loadText, NO_RULES, residue } from '../support/lab-netfilter.ts';
import { describeInLab } from '../support/lab-suite.ts';
import { askUdp, startUdpEcho } from '../support/lab-udp.ts';

const FAMILIES = [V4, V6];

/** Takes connections meant for any address (IP_TRANSPARENT, IPV6_TRANSPARENT), and says what they were meant for. */
const LISTENER = `
import socket
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_IP, 19, 1)
server.setsockopt(socket.IPPROTO_IPV6, 75, 1)
server.bind(('::', ${REDIRECT_PORT}))
server.listen()
print('ready', flush=True)
while True:
    client, peer = server.accept()
    to = client.getsockname()
    plain = lambda address: address[0].removeprefix('::ffff:')
    client.sendall(f'{plain(peer)} to {plain(to)} {to[1]}'.encode())
    client.close()
`;

const plan = planOf({
  listeners: [intercepted({ port: REDIRECT_PORT, intercept: 'tproxy', interfaces: ['lan'] })],
  except: [V4.attacker],
});

/** Packets that are dropped surface as nothing but time. */
const waitingFor = (address: string) => ['--connect-timeout', '1', `http://${address}:443/`];

const script = loadScript(renderNft(buildRuleset(plan)), addRouting(routingFamilies(plan)));

describeInLab(
  'interception by tproxy',
  suite => {
    let before = '';
    let listener: ChildProcessWithoutNullStreams;
    beforeAll(async () => {
      before = await residue(suite.lab);
      await startUdpEcho(suite.lab, [53, 443], [V4.site, V6.site]);
      listener = suite.lab.spawn('gateway', 'python3', ['-c', LISTENER]);
      await once(listener.stdout, 'data');
    });

    it('is not there before its script has run, says the check', async () => {
      const checks = await runChecks(plan, gatewayKernel(suite.lab));
      const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
      expect(failed).toEqual([
        'table inet sallyport',
        'ip -4 rule',
        'ip -4 route',
        'ip -6 rule',
        'ip -6 route',
      ]);
    });

    it('is there once its script has run, twice, says the check', async () => {
      await loadText(suite.lab, script, 'sh');
      const once = await residue(suite.lab);
      await loadText(suite.lab, script, 'sh');
      expect(await residue(suite.lab)).toBe(once);
      const checks = await runChecks(plan, gatewayKernel(suite.lab));
      expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(7);
    });

    it.each(FAMILIES)('leads $client to the listener by its own address and destination', async family => {
      const { stdout } = await suite.clients.silent(family.banner);
      expect(stdout).toBe(`${family.client} to ${family.banner} 443`);
    });

    it('leaves alone what it shall', async () => {
      expect((await suite.clients.https('denied.example', V4.attacker)).answer).toMatchObject({
        server: V4.attacker,
        peer: V4.client,
      });
      expect(await askUdp(suite.lab, 'client', V4.site, 53)).toBe('answer');
    });

    it.each(FAMILIES)('refuses QUIC of $client', async family => {
      expect(await askUdp(suite.lab, 'client', family.site, 443)).toBe('ECONNREFUSED');
    });

    it('lets nothing past when its routing is not there', async () => {
      await gatewayShell(suite.lab, 'ip -4 rule delete priority 100');
      const { code } = await suite.lab.run('client', 'curl', waitingFor(V4.plain));
      await loadText(suite.lab, script, 'sh');
      expect(code).toBe(CURL.timeout);
    });

    it('says the check, is not there when replies are looked up by mark as well', async () => {
      await gatewayShell(
        suite.lab,
        'sysctl -qw net.ipv4.conf.lan.rp_filter=2 net.ipv4.conf.lan.src_valid_mark=1',
      );
      const { code } = await suite.lab.run('client', 'curl', waitingFor(V4.plain));
      const checks = await runChecks(plan, gatewayKernel(suite.lab));
      await gatewayShell(
        suite.lab,
        'sysctl -qw net.ipv4.conf.lan.rp_filter=0 net.ipv4.conf.lan.src_valid_mark=0',
      );
      expect(code).toBe(CURL.timeout);
      const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
      expect(failed).toEqual(['net.ipv4.conf.lan.src_valid_mark']);
    });

    it('lets nothing past when nobody listens', async () => {
      const ended = once(listener, 'exit');
      listener.kill();
      await ended;
      for (const { plain } of FAMILIES) {
        expect(await suite.clients.http(plain)).toMatchObject({ code: CURL.cannotConnect });
      }
    });

    it('is removed without residue', async () => {
      await loadText(suite.lab, removeScript(removeRouting()), 'sh');
      expect(await residue(suite.lab)).toBe(before);
    });
  },
  NO_RULES,
);
