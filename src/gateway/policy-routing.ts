import { isRecord } from './kernel-json.ts';
import type { Family, Json } from './nft.ts';
import type { Plan } from './plan.ts';

/** The one bit of the packet mark that is ours. kube-proxy, Calico, Cilium, Istio and Tailscale use others. */
export const TPROXY_MARK = 0x2000;
/** The routing table that delivers marked packets to this host, whatever their destination. */
const TABLE = '8192';
/** Before the main table (32766), and before the rules of cloud agents (512 and up). */
const PRIORITY = '100';
const MARK = `0x${TPROXY_MARK.toString(16)}`;

const FLAGS: Readonly<Record<Family, string>> = { ipv4: '-4', ipv6: '-6' };
const SELECTOR = `priority ${PRIORITY} fwmark ${MARK}/${MARK} lookup ${TABLE}`;

/** What `ip -j` is asked, and how it answers when the routing is there. */
export const ROUTING = {
  rule: { show: ['rule', 'show'], isIt: isRule },
  route: { show: ['route', 'show', 'table', TABLE], isIt: isRoute },
} as const;

/** Families that need policy routing: those of tproxy listeners. */
export function routingFamilies({ interceptions }: Plan): Family[] {
  const families = interceptions.filter(({ by }) => by === 'tproxy').flatMap(one => one.families);
  return [...new Set(families)].sort();
}

export function familyFlag(family: Family): string {
  return FLAGS[family];
}

/** Shell commands that give tproxy its routing; running them again changes nothing. */
export function addRouting(families: readonly Family[]): string[] {
  return families.flatMap(family => {
    const ip = `ip ${FLAGS[family]}`;
    const isThere = `${ip} rule show | grep -q '^${PRIORITY}:.*fwmark ${MARK}/${MARK} lookup ${TABLE}'`;
    return [
      `${ip} route replace local default dev lo table ${TABLE}`,
      `${isThere} || ${ip} rule add ${SELECTOR}`,
    ];
  });
}

/** Shell commands that take it away; where there is none they do nothing. */
export function removeRouting(): string[] {
  return Object.values(FLAGS).flatMap(flag => [
    `while ip ${flag} rule delete ${SELECTOR} 2>/dev/null; do :; done`,
    `ip ${flag} route flush table ${TABLE} 2>/dev/null || :`,
  ]);
}

function isRule(entry: Json): boolean {
  return isRecord(entry) && entry.fwmark === MARK && entry.fwmask === MARK && String(entry.table) === TABLE;
}

function isRoute(entry: Json): boolean {
  return isRecord(entry) && entry.type === 'local' && entry.dst === 'default' && entry.dev === 'lo';
}
