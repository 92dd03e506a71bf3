import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GATEWAY, unitValues } from '../deploy/unit-file.ts';
import { V4, V6 } from '../support/lab.ts';
import { CURL } from '../support/lab-clients.ts';
import { gatewayShell, NO_RULES } from '../support/lab-netfilter.ts';
import { describeInLab } from '../support/lab-suite.ts';
import { askUdp, startUdpEcho } from '../support/lab-udp.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const POLICY = fileURLToPath(new URL('../../config/policy.yaml', import.meta.url));
/** Stands in for the user that sysusers.conf makes. */
const SOMEBODY = '65534';

describeInLab(
  'a gateway as its guide builds it',
  suite => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-guide-'));
    afterAll(() => rmSync(directory, { recursive: true }));

    /** Runs the commands of a unit as root with the unit's capabilities, and nothing else of root's. */
    async function runUnit(name: string, keys: readonly string[]): Promise<void> {
      const [capabilities = ''] = unitValues(name, 'CapabilityBoundingSet');
      const limits = limitedTo(capabilities);
      for (const command of keys.flatMap(key => unitValues(name, key))) {
        await gatewayShell(suite.lab, `exec setpriv "$@" ${here(command)}`, limits);
      }
    }

    /** The command line of a unit, for the files of this checkout. */
    function here(command: string): string {
      return command
        .replaceAll('/usr/local/bin/sallyport', `${process.execPath} ${MAIN}`)
        .replaceAll('/etc/sallyport/', `${directory}/`)
        .replaceAll('/etc/sysctl.d/60-sallyport.conf', join(GATEWAY, 'sysctl.conf'));
    }

    const setting = async (key: string) =>
      (await gatewayShell(suite.lab, `cat /proc/sys/net/${key}`)).trim().replace(/\s+/g, ' ');

    beforeAll(async () => {
      chmodSync(directory, 0o755);
      copyFileSync(join(GATEWAY, 'sallyport.yaml'), join(directory, 'sallyport.yaml'));
      copyFileSync(POLICY, join(directory, 'policy.yaml'));
      await startUdpEcho(suite.lab, [53, 443], [V4.site, V6.site]);
      await gatewayShell(suite.lab, 'sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0');
    });

    it('loads its rules, and only then forwards', async () => {
      await runUnit('sallyport-netfilter.service', ['ExecStart']);
      expect(await setting('ipv4/ip_forward')).toBe('0');
      await runUnit('sallyport-netfilter.service', ['ExecStartPost']);
      expect(await setting('ipv4/ip_forward')).toBe('1');
      expect(await setting('ipv6/conf/all/forwarding')).toBe('1');
    });

    it('has the settings of sysctl.conf', async () => {
      const lines = readFileSync(join(GATEWAY, 'sysctl.conf'), 'utf8').split('\n');
      const settings = lines.filter(line => line.startsWith('net.')).map(line => line.split(' = '));
      expect(settings.length).toBeGreaterThan(8);
      for (const [key = '', value] of settings) {
        for (const name of key.includes('*') ? ['all', 'lan', 'wan'] : ['']) {
          const path = key.replaceAll('.', '/').replace('*', name);
          expect(await setting(path.replace('net/', '')), path).toBe(value);
        }
      }
    });

    it('refuses clients while the daemon is not there', async () => {
      for (const { site } of [V4, V6]) {
        const visit = await suite.clients.https('allowed.example', site);
        expect(visit).toMatchObject({ code: CURL.cannotConnect });
      }
    });

    it('serves them once it is, as a user without any capability', async () => {
      const [command = ''] = unitValues('sallyport.service', 'ExecStart');
      const user = ['--reuid', SOMEBODY, '--regid', SOMEBODY, '--clear-groups'];
      const [capabilities = 'none given'] = unitValues('sallyport.service', 'CapabilityBoundingSet');
      const daemon = suite.lab.spawn('gateway', 'setpriv', [
        ...user,
        ...limitedTo(capabilities),
        ...here(command).split(' '),
      ]);
      await new Promise<void>((resolve, reject) => {
        createInterface(daemon.stdout).on('line', line => {
          if (line.includes('"event":"ready"')) resolve();
        });
        daemon.once('exit', code => reject(new Error(`ended with ${code}`)));
      });
      for (const { site, wan } of [V4, V6]) {
        const { code, stderr, answer } = await suite.clients.https('allowed.example', site);
        expect(code, stderr).toBe(CURL.ok);
        expect(answer).toMatchObject({ server: site, peer: wan, servername: 'allowed.example' });
        expect(await askUdp(suite.lab, 'client', site, 443)).toBe('ECONNREFUSED');
        expect(await askUdp(suite.lab, 'client', site, 53)).toBe('answer');
      }
      daemon.kill();
    });

    it('says of itself that all is well', async () => {
      const check = `${process.execPath} ${MAIN} netfilter -c ${directory}/sallyport.yaml --check`;
      const answer = await gatewayShell(suite.lab, check);
      expect(
        answer
          .trim()
          .split('\n')
          .every(line => line.startsWith('ok ')),
      ).toBe(true);
    });

    it('forwards nothing once its rules are stopped', async () => {
      await runUnit('sallyport-netfilter.service', ['ExecStop']);
      expect(await setting('ipv4/ip_forward')).toBe('0');
      expect(await setting('ipv6/conf/all/forwarding')).toBe('0');
      expect(await gatewayShell(suite.lab, 'nft list ruleset')).toBe('');
    });
  },
  NO_RULES,
);

/** setpriv's options for the value of CapabilityBoundingSet; `CAP_NET_ADMIN` becomes `+net_admin`. */
function limitedTo(capabilities: string): string[] {
  const kept = capabilities.split(' ').filter(Boolean);
  const set = ['-all', ...kept.map(name => `+${name.replace('CAP_', '').toLowerCase()}`)].join(',');
  return ['--no-new-privs', `--bounding-set=${set}`, '--inh-caps=-all'];
}
