import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadDaemonConfig } from '../../src/config/load.ts';
import { hasCommand, runCommand } from '../support/command.ts';
import { GATEWAY, unitValues } from './unit-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'));
afterAll(() => rmSync(directory, { recursive: true }));

const UNITS = readdirSync(GATEWAY).filter(name => name.endsWith('.service'));
const withSystemd = describe.skipIf(!hasCommand('systemd-analyze'));
const suffix = hasCommand('systemd-analyze') ? '' : ' (skipped: needs systemd-analyze)';

/** The unit, with a program that is there in place of ours. */
function installed(name: string): string {
  const file = join(directory, name);
  const text = readFileSync(join(GATEWAY, name), 'utf8').replaceAll('/usr/local/bin/sallyport', '/bin/true');
  writeFileSync(file, text);
  return file;
}

withSystemd(`the units of the gateway guide${suffix}`, () => {
  it.each(UNITS)('%s: systemd finds no fault', async name => {
    const { code, stderr } = await runCommand('systemd-analyze', ['verify', '--man=no', installed(name)]);
    expect([code, stderr]).toEqual([0, '']);
  });

  // Of 10; what is left is the network, a user that is not root's namespace, and what cannot be had so early in the boot.
  it.each([
    ['sallyport.service', 1.6],
    ['sallyport-netfilter.service', 2.7],
  ])('%s: is exposed by at most %d, as systemd counts', async (name, most) => {
    const { stdout } = await runCommand('systemd-analyze', [
      'security',
      '--offline=true',
      '--no-pager',
      installed(name),
    ]);
    const exposure = /Overall exposure level for .*: ([0-9.]+) /.exec(stdout)?.[1];
    expect(Number(exposure)).toBeLessThanOrEqual(most);
  });
});

/** As Debian and Ubuntu have it: what sysinit.target waits for waits for the network. */
const CLOUD_INIT = `[Unit]
DefaultDependencies=no
Wants=systemd-networkd.service systemd-networkd-wait-online.service
After=systemd-networkd-wait-online.service
Before=network-online.target sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/true
`;
const BOOT = `[Unit]
Requires=sysinit.target
Wants=${UNITS.join(' ')} cloud-init.service
`;

withSystemd(`the boot of a cloud host${suffix}`, () => {
  it('makes no circle of the units, the network and cloud-init', async () => {
    const boot = join(directory, 'boot.target');
    for (const name of UNITS) installed(name);
    writeFileSync(join(directory, 'cloud-init.service'), CLOUD_INIT);
    writeFileSync(boot, BOOT);
    const { code, stderr } = await runCommand('systemd-analyze', ['verify', '--man=no', boot], {
      env: { SYSTEMD_UNIT_PATH: `${directory}:` },
    });
    expect([code, stderr]).toEqual([0, '']);
  });
});

describe('the files of the gateway guide', () => {
  it('there are all that its README names', () => {
    const readme = readFileSync(join(GATEWAY, 'README.md'), 'utf8');
    const files = readdirSync(GATEWAY).filter(name => name !== 'README.md');
    expect(files.length).toBeGreaterThanOrEqual(5);
    for (const name of files) expect(readme).toContain(`](${name})`);
    const linked = [...readme.matchAll(/\]\(([a-z-]+\.[a-z]+)\)/g)].map(([, name]) => name);
    expect(new Set(linked)).toEqual(new Set(files));
  });

  it('the configuration loads, beside a policy', async () => {
    copyFileSync(join(GATEWAY, 'sallyport.yaml'), join(directory, 'sallyport.yaml'));
    const load = await loadDaemonConfig(join(directory, 'sallyport.yaml'));
    expect(load).toMatchObject({
      ok: true,
      config: {
        policyPath: join(directory, 'policy.yaml'),
        listeners: [{ kind: 'transparent', host: '::', port: 15_443, ports: [80, 443] }],
      },
    });
  });

  it('the units, the users and the configuration name the same user', () => {
    const [user] = unitValues('sallyport.service', 'User');
    expect(user).toBe('sallyport');
    expect(readFileSync(join(GATEWAY, 'sysusers.conf'), 'utf8')).toMatch(/^u sallyport - /m);
    expect(readFileSync(join(GATEWAY, 'sallyport.yaml'), 'utf8')).toMatch(/^ {2}user: sallyport$/m);
  });

  it('the daemon is given longer to end than it takes to drain', () => {
    const [stop] = unitValues('sallyport.service', 'TimeoutStopSec');
    const drain = /drainTimeout: (\d+)s/.exec(readFileSync(join(GATEWAY, 'sallyport.yaml'), 'utf8'))?.[1];
    expect(Number(stop)).toBeGreaterThan(Number(drain));
  });

  it('every setting of the kernel has a reason before it', () => {
    const blocks = readFileSync(join(GATEWAY, 'sysctl.conf'), 'utf8').trim().split('\n\n').slice(1);
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) expect(block).toMatch(/^# [\s\S]*\n-?net\.\S+ = /);
  });
});
