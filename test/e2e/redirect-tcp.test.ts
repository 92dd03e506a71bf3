import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REDIRECT_PORT, V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { describeInLab, flowOf, useGateway } from '../support/lab-suite.ts';
import { SshServer, sshObstacle } from '../support/ssh.ts';

const RULES = `table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lan" tcp dport { 22, 443 } redirect to :${REDIRECT_PORT}
  }
}
`;
const policy = {
  mode: 'enforce',
  rules: [
    { name: 'git-ssh', hosts: ['allowed.example'], ports: [22], protocol: 'tcp' },
    { name: 'mail', cidrs: [V4.banner, V6.banner], ports: [443], protocol: 'tcp' },
    { name: 'site', hosts: ['allowed.example'] },
  ],
};

describeInLab(
  'a transparent listener with tcp rules',
  suite => {
    const obstacle = sshObstacle();
    const gateway = useGateway(suite, { policy, limits: { helloTimeout: '500ms' } });

    describe.skipIf(obstacle !== null)(
      `with OpenSSH${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
      () => {
        let ssh: SshServer | null = null;
        beforeAll(async () => {
          const addresses = [V4.site, V4.mirror, V6.site, V6.mirror];
          const listen = addresses.map(ip => (ip.includes(':') ? `[${ip}]:22` : `${ip}:22`));
          ssh = await SshServer.start(listen, suite.lab.prefix('server'));
        });
        afterAll(() => ssh?.close());
        const runs = (address: string) =>
          flowOf(gateway(), () => {
            const args = ssh?.client(address, 22, 'echo through the gate') ?? [];
            return suite.lab.run('client', 'ssh', args);
          });

        it.each([V4, V6])('lets $client in where the name of the rule is', async family => {
          const { result, decision, close } = await runs(family.site);
          expect(result).toMatchObject({ code: 0, stdout: 'through the gate\n' });
          expect(decision).toMatchObject({
            src_ip: family.client,
            dst_ip: family.site,
            dst_port: 22,
            hostname: 'allowed.example',
            protocol: 'tcp',
            rule: 'git-ssh',
            state: 'MATCHED',
            action: 'allow',
          });
          expect(close.bytes_in).toBeGreaterThan(1_000);
        });

        it.each([V4, V6])('lets $client nowhere else', async family => {
          const { result, decision } = await runs(family.mirror);
          expect(result.code).not.toBe(0);
          expect(decision).toMatchObject({ dst_ip: family.mirror, action: 'deny', rule: null });
        });
      },
    );

    it.each([V4, V6])('lets a server that speaks first greet $client', async family => {
      const { result, decision } = await flowOf(gateway(), () => suite.clients.silent(family.banner));
      expect(result.stdout).toBe(`220 ${family.banner} speaks first\r\n`);
      expect(decision).toMatchObject({ hostname: null, protocol: 'tcp', rule: 'mail', action: 'allow' });
    });

    it.each([V4, V6])('judges TLS of $client by its name, as without them', async family => {
      const { result, decision } = await flowOf(gateway(), () =>
        suite.clients.https('allowed.example', family.site),
      );
      expect(result.code, result.stderr).toBe(CURL.ok);
      expect(decision).toMatchObject({ protocol: 'tls', rule: 'site', action: 'allow' });
    });
  },
  RULES,
);
