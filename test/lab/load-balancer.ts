import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespaces } from '../support/namespaces.ts';
import { at, FAMILIES, type Room } from './addresses.ts';
import { BALANCED_PORT } from './gateway-config.ts';
import { Program } from './program.ts';

const HAPROXY = '/usr/sbin/haproxy';

/** Why there is no load balancer here, or null. */
export function balancerObstacle(): string | null {
  return existsSync(HAPROXY) ? null : 'needs haproxy';
}

/** HAProxy in front of the gateway's explicit listener, telling it by PROXY protocol who its clients are. */
export function startBalancer(rooms: Namespaces<Room>, directory: string): Promise<Program> {
  const proxies = FAMILIES.flatMap(({ name, balancer, balancerGateway }) => [
    `listen ${name}`,
    `  bind ${at(balancer, BALANCED_PORT)}`,
    `  server gateway ${at(balancerGateway, BALANCED_PORT)} send-proxy-v2`,
  ]);
  const timeouts = ['connect', 'client', 'server'].map(which => `  timeout ${which} 20s`);
  const config = join(directory, 'haproxy.cfg');
  writeFileSync(config, `${['defaults', '  mode tcp', ...timeouts, ...proxies].join('\n')}\n`);
  return Program.start({
    name: 'haproxy',
    directory,
    command: [...rooms.prefix('balancer'), HAPROXY, '-W', '-db', '-f', config],
    isReady: line => line.includes('Loading success'),
  });
}
