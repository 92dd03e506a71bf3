import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, type Family, V4 } from './addresses.ts';

export type Intercept = 'redirect' | 'tproxy';

/** The explicit listener behind the load balancer. */
export const BALANCED_PORT = 3128;
/** The VPC endpoint through which the tenant comes. */
export const ENDPOINT = 'vpce-08d2bf15fac5001c9';

/** Reserved for the lab: which TCP ports the gateway takes. */
export const PORTS = [22, 80, 443, 5432];

const both = (pick: (family: Family) => string) => FAMILIES.map(pick);

/** sallyport.yaml of the lab's gateway. */
export function labConfig(intercept: Intercept, user: number): Readonly<Record<string, unknown>> {
  return {
    version: 1,
    gateway: 'lab-gateway',
    policy: './policy.yaml',
    workers: 2,
    listeners: [
      {
        name: 'gw',
        kind: 'transparent',
        address: '[::]:15443',
        intercept,
        ports: PORTS,
        interfaces: ['build0', 'legacy0'],
      },
      {
        name: 'balanced',
        kind: 'explicit',
        address: `[::]:${BALANCED_PORT}`,
        proxyProtocol: 'require',
        trusted: both(({ balancer }) => balancer),
      },
    ],
    dns: { servers: [V4.dns] },
    netfilter: { user },
    // Every record by itself, so that rows can tell theirs.
    log: { fold: '0s' },
    limits: { drainTimeout: '1s' },
  };
}

/** What the units in the directory of the gateway guide give to the daemon. */
export function unitCapabilities(guide: string, intercept: Intercept): string[] {
  const unit = intercept === 'tproxy' ? 'tproxy.conf' : 'sallyport.service';
  const value = /^AmbientCapabilities=(.*)$/m.exec(readFileSync(join(guide, unit), 'utf8'))?.[1];
  if (value === undefined) throw new Error(`${unit} says nothing of capabilities`);
  return value.split(' ').filter(Boolean);
}

/** policy.yaml of the lab's gateway. */
export function labPolicy(): Readonly<Record<string, unknown>> {
  return {
    version: 1,
    mode: 'enforce',
    sources: {
      build: { cidrs: both(({ blocks }) => blocks.build) },
      legacy: { cidrs: both(({ blocks }) => blocks.legacy) },
      watched: { cidrs: both(({ blocks }) => blocks.watched), mode: 'observe' },
      tenant: { vpcEndpoints: [ENDPOINT] },
    },
    rules: [
      { name: 'api', hosts: ['api.example'], ports: [80, 443] },
      { name: 'artifacts', hosts: ['artifacts.example'], from: ['build'] },
      { name: 'tenant', hosts: ['tenant.example'], from: ['tenant'] },
      { name: 'trap', hosts: ['trap.example'] },
      { name: 'git-ssh', hosts: ['git.example'], ports: [22], protocol: 'tcp' },
      { name: 'database', hosts: ['db.example'], ports: [5432], protocol: 'tcp' },
      { name: 'warehouse', hosts: ['pg.example'], ports: [5432] },
    ],
  };
}
