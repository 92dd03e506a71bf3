import type { Check } from './check.ts';
import type { Kernel } from './kernel.ts';
import type { Interception, Plan } from './plan.ts';

/** Settings of the kernel, by sysctl, on which a plan depends. */
export async function settingChecks({ interceptions }: Plan, kernel: Kernel): Promise<Check[]> {
  const present = (await kernel.interfaces()).filter(name => !['all', 'default', 'lo'].includes(name));
  const families = new Set(interceptions.flatMap(one => one.families));
  return [
    ...interfaceChecks(interceptions, present),
    ...(families.has('ipv4') ? [await forwardingV4(kernel)] : []),
    ...(families.has('ipv6') ? await forwardingV6(kernel) : []),
    ...(families.has('ipv4') ? [await reversePath(usedInterfaces(interceptions, present), kernel)] : []),
    ...(await validMark(interceptions, present, kernel)),
    ...(await routeLocalnet(interceptions.filter(isRedirectedToLoopback), present, kernel)),
  ];
}

function interfaceChecks(interceptions: readonly Interception[], present: readonly string[]): Check[] {
  const named = [...new Set(interceptions.flatMap(({ interfaces }) => interfaces))];
  return named
    .filter(pattern => !present.some(name => isMeant(name, pattern)))
    .map(pattern => ({
      name: `interface ${pattern}`,
      status: 'warn',
      message: 'does not exist now',
      fix: `correct interfaces: in the configuration, if it is not to come later; there are ${present.join(', ')}`,
    }));
}

async function forwardingV4(kernel: Kernel): Promise<Check> {
  const name = 'net.ipv4.ip_forward';
  const isOn = (await kernel.sysctl('net/ipv4/ip_forward')) === '1';
  if (isOn)
    return { name, status: 'ok', message: 'what is left alone, such as DNS, is forwarded', fix: null };
  const message = 'is 0: nothing that is left alone, such as DNS, is forwarded, and QUIC is not refused';
  return { name, status: 'fail', message, fix: `sysctl -w ${name}=1` };
}

async function forwardingV6(kernel: Kernel): Promise<Check[]> {
  const name = 'net.ipv6.conf.all.forwarding';
  const value = await kernel.sysctl('net/ipv6/conf/all/forwarding');
  if (value === null) return [];
  if (value === '1') return [{ name, status: 'ok', message: 'as for IPv4', fix: null }];
  const message = 'is 0: IPv6 clients reach the listeners, and nothing else';
  return [{ name, status: 'warn', message, fix: `sysctl -w ${name}=1, if clients have IPv6` }];
}

async function reversePath(interfaces: readonly string[], kernel: Kernel): Promise<Check> {
  const name = 'net.ipv4.conf.*.rp_filter';
  const strict: string[] = [];
  for (const device of interfaces) if ((await larger('rp_filter', device, kernel)) === 1) strict.push(device);
  if (strict.length === 0)
    return { name, status: 'ok', message: 'not strict where clients come in', fix: null };
  const message = `is strict on ${strict.join(', ')}: clients are dropped whose way back is by another interface`;
  return { name, status: 'warn', message, fix: 'sysctl -w net.ipv4.conf.all.rp_filter=2' };
}

/** Packets that tproxy has marked would be held against its own routing table, which has no way back to a client. */
async function validMark(
  interceptions: readonly Interception[],
  present: readonly string[],
  kernel: Kernel,
): Promise<Check[]> {
  const checks: Check[] = [];
  const tproxied = interceptions.filter(({ by, families }) => by === 'tproxy' && families.includes('ipv4'));
  for (const device of usedInterfaces(tproxied, present)) {
    if ((await larger('rp_filter', device, kernel)) === 0) continue;
    if ((await larger('src_valid_mark', device, kernel)) === 0) continue;
    const name = `net.ipv4.conf.${device}.src_valid_mark`;
    const message = 'is 1: with rp_filter, packets that tproxy has marked are dropped';
    checks.push({
      name,
      status: 'fail',
      message,
      fix: `sysctl -w ${name}=0 net.ipv4.conf.all.src_valid_mark=0`,
    });
  }
  return checks;
}

async function routeLocalnet(
  interceptions: readonly Interception[],
  present: readonly string[],
  kernel: Kernel,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const device of usedInterfaces(interceptions, present)) {
    const name = `net.ipv4.conf.${device}.route_localnet`;
    const isOn = (await larger('route_localnet', device, kernel)) === 1;
    const listeners = interceptions.map(({ listener }) => listener).join(', ');
    checks.push(
      isOn
        ? { name, status: 'ok', message: `packets may be led to ${listeners} on loopback`, fix: null }
        : {
            name,
            status: 'fail',
            message: `is 0: packets led to ${listeners} on loopback are dropped`,
            fix: `let the listener listen at 0.0.0.0, or sysctl -w ${name}=1`,
          },
    );
  }
  return checks;
}

/** Of these settings the larger of the interface's and of `all` holds (Linux, ip-sysctl.rst). */
async function larger(key: string, device: string, kernel: Kernel): Promise<number> {
  const [all, own] = [
    await kernel.sysctl(`net/ipv4/conf/all/${key}`),
    await kernel.sysctl(`net/ipv4/conf/${device}/${key}`),
  ];
  return Math.max(Number(all), Number(own));
}

function isRedirectedToLoopback({ by, address }: Interception): boolean {
  return by === 'redirect' && address !== null && address.startsWith('127.');
}

/** Of those that exist, those where the clients of any of these listeners come in. */
function usedInterfaces(interceptions: readonly Interception[], present: readonly string[]): string[] {
  return present.filter(name =>
    interceptions.some(
      ({ interfaces }) => interfaces.length === 0 || interfaces.some(pattern => isMeant(name, pattern)),
    ),
  );
}

function isMeant(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
