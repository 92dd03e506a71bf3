/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** A part of a rule in both notations: nft(8), and libnftables-json(5) as `nft -j list` gives it back. */
export interface Statement {
  readonly text: string;
  readonly json: Json;
}

export interface Rule {
  readonly statements: readonly Statement[];
  /** At most 127 bytes, without quotes: it goes into the kernel with the rule. */
  readonly comment: string;
}

export interface Hook {
  readonly type: 'nat' | 'filter';
  readonly hook: 'prerouting' | 'forward' | 'output';
  readonly priority: number;
}

export interface Chain {
  readonly name: string;
  /** Null: others jump here. A chain at a hook has the policy accept. */
  readonly hook: Hook | null;
  readonly rules: readonly Rule[];
}

export type Family = 'ipv4' | 'ipv6';

/** The family's name in addresses and NAT statements. */
const IP = { ipv4: 'ip', ipv6: 'ip6' } as const;

/** Priorities of nft(8): mangle, dstnat and filter. */
export const MANGLE = -150;
export const DSTNAT = -100;
export const FILTER = 0;

export const accept: Statement = { text: 'accept', json: { accept: null } };
export const counter: Statement = { text: 'counter', json: { counter: null } };

export const rejectUnreachable: Statement = reject('icmpx', 'port-unreachable');
export const rejectProhibited: Statement = reject('icmpx', 'admin-prohibited');
export const rejectReset: Statement = {
  text: 'reject with tcp reset',
  json: { reject: { type: 'tcp reset' } },
};

export const toThisHost: Statement = match(
  'fib daddr type local',
  { fib: { result: 'type', flags: ['daddr'] } },
  'local',
);
export const inKnownFlow: Statement = {
  text: 'ct state established,related',
  json: { match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } },
};

/** Its destination is not the one the client wrote. */
export const hasOtherDestination: Statement = {
  text: 'ct status dnat',
  json: { match: { op: 'in', left: { ct: { key: 'status' } }, right: 'dnat' } },
};

/** A socket that may take traffic for any address, and is not only a listener bound to none. */
export const hasTransparentSocket: readonly Statement[] = [
  match('socket transparent 1', { socket: { key: 'transparent' } }, 1),
  match('socket wildcard 0', { socket: { key: 'wildcard' } }, 0),
];

export function jump(chain: string): Statement {
  return { text: `jump ${chain}`, json: { jump: { target: chain } } };
}

/** A trailing `*` stands for any ending. */
export function fromInterface(name: string): Statement {
  return match(`iifname "${name}"`, { meta: { key: 'iifname' } }, name);
}

export function ofFamily(family: Family): Statement {
  return match(`meta nfproto ${family}`, { meta: { key: 'nfproto' } }, family);
}

export function ofProtocol(protocol: 'tcp' | 'icmp' | 'ipv6-icmp'): Statement {
  return match(`meta l4proto ${protocol}`, { meta: { key: 'l4proto' } }, protocol);
}

export function ofUser(uid: number): Statement {
  return match(`meta skuid ${uid}`, { meta: { key: 'skuid' } }, uid);
}

/** `ports` is not empty, ascending, and names none twice. */
export function toPorts(protocol: 'tcp' | 'udp', ports: readonly number[]): Statement {
  const [first = 0] = ports;
  const isOne = ports.length === 1;
  return match(
    `${protocol} dport ${isOne ? first : `{ ${ports.join(', ')} }`}`,
    { payload: { protocol, field: 'dport' } },
    isOne ? first : { set: ports },
  );
}

/** `length` counts the bits of the family's addresses. */
export function toBlock(family: Family, address: string, length: number): Statement {
  const isOne = length === (family === 'ipv4' ? 32 : 128);
  return match(
    `${IP[family]} daddr ${address}${isOne ? '' : `/${length}`}`,
    { payload: { protocol: IP[family], field: 'daddr' } },
    isOne ? address : { prefix: { addr: address, len: length } },
  );
}

/** To the primary address of the interface it came by; of what this host sends, to loopback. */
export function redirect(port: number): Statement {
  return { text: `redirect to :${port}`, json: { redirect: { port } } };
}

export function dnat(family: Family, address: string, port: number): Statement {
  return {
    text: `dnat ${IP[family]} to ${socketText(family, address, port)}`,
    json: { dnat: { family: IP[family], addr: address, port } },
  };
}

/** Null: whichever address the listener is bound to. */
export function tproxy(family: Family, address: string | null, port: number): Statement {
  return {
    text: `tproxy ${IP[family]} to ${address === null ? `:${port}` : socketText(family, address, port)}`,
    json: { tproxy: { family: IP[family], ...(address === null ? {} : { addr: address }), port } },
  };
}

/** Sets bits of the packet's mark and leaves the others as they are. */
export function setMark(bits: number): Statement {
  const mark = { meta: { key: 'mark' } };
  return {
    text: `meta mark set meta mark | 0x${bits.toString(16)}`,
    json: { mangle: { key: mark, value: { '|': [mark, bits] } } },
  };
}

function match(text: string, left: Json, right: Json): Statement {
  return { text, json: { match: { op: '==', left, right } } };
}

function reject(type: string, expr: string): Statement {
  return { text: `reject with ${type} ${expr}`, json: { reject: { type, expr } } };
}

function socketText(family: Family, address: string, port: number): string {
  return family === 'ipv4' ? `${address}:${port}` : `[${address}]:${port}`;
}
