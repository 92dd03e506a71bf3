/** Rooms are network namespaces: two networks of clients, the gateway, what is outside, and a load balancer's network. */
export const ROOMS = ['build', 'legacy', 'gateway', 'outside', 'balancer'] as const;

export type Room = (typeof ROOMS)[number];

/** The addresses of one family. Outside are documentation ranges (RFC 5737, RFC 3849): the destination guard lets them pass. */
export interface Family {
  readonly name: 'IPv4' | 'IPv6';
  /** For curl, ssh and ip. */
  readonly flag: '-4' | '-6';
  /** A client in the room `build`, and the gateway towards it. */
  readonly build: string;
  readonly buildGateway: string;
  /** Two clients in the room `legacy`; the second is of a source group that is only watched. */
  readonly legacy: string;
  readonly watched: string;
  readonly legacyGateway: string;
  /** A load balancer, a client of its own, and the gateway towards them. */
  readonly balancer: string;
  readonly tenant: string;
  readonly balancerGateway: string;
  /** The gateway, towards the outside. */
  readonly wan: string;
  /** Outside. */
  readonly site: string;
  readonly mirror: string;
  readonly attacker: string;
  readonly dns: string;
  readonly git: string;
  readonly database: string;
  readonly warehouse: string;
  readonly metadata: string;
  /** The blocks of the source groups. */
  readonly blocks: { readonly build: string; readonly legacy: string; readonly watched: string };
}

export const V4: Family = {
  name: 'IPv4',
  flag: '-4',
  build: '10.12.4.21',
  buildGateway: '10.12.4.1',
  legacy: '10.12.9.21',
  watched: '10.12.9.221',
  legacyGateway: '10.12.9.1',
  balancer: '203.0.113.5',
  tenant: '203.0.113.77',
  balancerGateway: '203.0.113.1',
  ...outside('198.51.100.'),
  metadata: '169.254.169.254',
  blocks: { build: '10.12.4.0/24', legacy: '10.12.9.0/25', watched: '10.12.9.128/25' },
};

const V6: Family = {
  name: 'IPv6',
  flag: '-6',
  build: '2001:db8:4::21',
  buildGateway: '2001:db8:4::1',
  legacy: '2001:db8:9::21',
  watched: '2001:db8:9:0:8000::21',
  legacyGateway: '2001:db8:9::1',
  balancer: '2001:db8:113::5',
  tenant: '2001:db8:113::77',
  balancerGateway: '2001:db8:113::1',
  ...outside('2001:db8:51::'),
  metadata: 'fd00:ec2::254',
  blocks: { build: '2001:db8:4::/64', legacy: '2001:db8:9::/65', watched: '2001:db8:9:0:8000::/65' },
};

export const FAMILIES: readonly Family[] = [V4, V6];

/** What the lab's DNS server says. */
export const ZONE: Readonly<Record<string, readonly string[]>> = {
  'api.example': [V4.site, V6.site],
  'artifacts.example': [V4.mirror, V6.mirror],
  'denied.example': [V4.mirror, V6.mirror],
  'git.example': [V4.git, V6.git],
  'db.example': [V4.database, V6.database],
  'tenant.example': [V4.mirror, V6.mirror],
  'pg.example': [V4.warehouse, V6.warehouse],
  // As an attacker who owns an allowed name would have it.
  'trap.example': [V4.metadata, V6.metadata],
};

/** `address:port`, as URLs and configurations write it. */
export function at(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function outside(net: string) {
  return {
    wan: `${net}1`,
    site: `${net}10`,
    mirror: `${net}11`,
    attacker: `${net}66`,
    dns: `${net}53`,
    git: `${net}22`,
    database: `${net}54`,
    warehouse: `${net}55`,
  };
}
