import type { TransparentListener } from '../config/daemon-config.ts';
import { formatSocketAddress } from '../config/socket-address.ts';
import { Cidr } from '../policy/address.ts';
import type { Family } from './nft.ts';
import type { Block, Interception, Plan } from './plan.ts';

/** A transparent listener, by whichever way its traffic comes. */
export interface PlanRequest {
  readonly listeners: readonly TransparentListener[];
  /** Texts that `Cidr.parse` takes. */
  readonly except: readonly string[];
  readonly strict: boolean;
  /** Null: what this host sends itself is not intercepted. */
  readonly ownUid: number | null;
}

export type PlanResult =
  | { readonly ok: true; readonly plan: Plan }
  /** Each names the listener or key, and a fix. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** What hosts and containers ask on the link itself. The destination guard of the daemon never dials these. */
const LINK_LOCAL: readonly { readonly block: string; readonly why: string }[] = [
  { block: '169.254.0.0/16', why: 'metadata, task credentials, DNS and time of the link' },
  { block: 'fe80::/10', why: 'the link itself' },
  { block: 'fd00:ec2::/32', why: 'metadata, credentials, DNS and time over IPv6' },
];

/** Makes the plan of a ruleset. */
export function buildPlan({ listeners, except, strict, ownUid }: PlanRequest): PlanResult {
  const interceptions = listeners.map(buildInterception);
  const problems = [
    ...(listeners.length === 0
      ? ['no transparent listener, so there is nothing to intercept (add one with kind: transparent)']
      : []),
    ...listeners.flatMap(listenerProblems),
    ...overlaps(interceptions),
    ...(ownUid === null ? [] : interceptions.filter(({ by }) => by === 'tproxy')).map(
      ({ listener }) =>
        `listener ${listener}: what this host sends cannot be led there by tproxy (write intercept: redirect)`,
    ),
    ...except
      .filter(text => Cidr.parse(text)?.prefix === 96 || Cidr.parse(text)?.prefix === 0)
      .map(text => `${text} leaves nothing to intercept (name narrower blocks in netfilter.except)`),
  ];
  if (problems.length > 0) return { ok: false, problems };
  const blocks = [
    ...LINK_LOCAL.flatMap(({ block, why }) => toBlocks(block, why)),
    ...[...new Set(except)].flatMap(text => toBlocks(text, 'netfilter.except')),
  ];
  return { ok: true, plan: { interceptions, except: blocks, strict, ownUid } };
}

function buildInterception(listener: TransparentListener): Interception {
  const isAnywhere = listener.host === '0.0.0.0' || listener.host === '::';
  return {
    listener: listener.name,
    by: listener.intercept,
    families: familiesOf(listener.host),
    address: isAnywhere ? null : listener.host,
    port: listener.port,
    ports: [...new Set(listener.ports)].sort((a, b) => a - b),
    interfaces: [...new Set(listener.interfaces)],
  };
}

/** A listener on [::] takes IPv4 as well. */
function familiesOf(host: string): Family[] {
  if (host === '::') return ['ipv4', 'ipv6'];
  return host.includes(':') ? ['ipv6'] : ['ipv4'];
}

function listenerProblems({ name, host, port, intercept }: TransparentListener): string[] {
  const where = `listener ${name} at ${formatSocketAddress({ host, port })}`;
  return [
    ...(port === 0 ? [`${where}: the system chooses its port (give it one)`] : []),
    ...(host === '::1' && intercept === 'redirect'
      ? [`${where}: no packet of another host can be redirected to ::1 (listen at [::]:${port})`]
      : []),
  ];
}

function overlaps(interceptions: readonly Interception[]): string[] {
  return interceptions.flatMap((one, i) =>
    interceptions.slice(0, i).flatMap(earlier => {
      const family = one.families.find(name => earlier.families.includes(name));
      const port = one.ports.find(number => earlier.ports.includes(number));
      if (family === undefined || port === undefined || !shareInterface(one, earlier)) return [];
      const fix = 'give them different ports or interfaces';
      return [
        `listeners ${earlier.listener} and ${one.listener} both take TCP ${port} over ${family} (${fix})`,
      ];
    }),
  );
}

function shareInterface(a: Interception, b: Interception): boolean {
  if (a.interfaces.length === 0 || b.interfaces.length === 0) return true;
  return a.interfaces.some(one => b.interfaces.some(other => namesMeet(one, other)));
}

/** Whether an interface can exist that both names stand for. */
function namesMeet(a: string, b: string): boolean {
  const [stemA, stemB] = [a, b].map(name => (name.endsWith('*') ? name.slice(0, -1) : null));
  if (stemA != null && stemB != null) return stemA.startsWith(stemB) || stemB.startsWith(stemA);
  if (stemA != null) return b.startsWith(stemA);
  return stemB != null ? a.startsWith(stemB) : a === b;
}

function toBlocks(text: string, why: string): Block[] {
  const cidr = Cidr.parse(text);
  if (cidr === null) return [];
  const address = cidr.first.toString();
  const isV4 = cidr.first.family === 4 && cidr.prefix >= 96;
  const [family, length] = isV4 ? (['ipv4', cidr.prefix - 96] as const) : (['ipv6', cidr.prefix] as const);
  return [{ family, address, length, why }];
}
