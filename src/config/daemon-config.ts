import type { SocketAddress } from './socket-address.ts';

/** A listener. `port` 0 lets the system choose. */
export type Listener = ExplicitListener | SniListener | TransparentListener;

interface ListenerBase extends SocketAddress {
  readonly name: string;
  /** Null: the PROXY protocol is not read. */
  readonly proxyProtocol: ProxyProtocolConfig | null;
  /** Null: it is not sent. */
  readonly sendProxyProtocol: 'v1' | 'v2' | null;
}

/** `trusted`: texts that `Cidr.parse` takes; never empty. */
export interface ProxyProtocolConfig {
  readonly mode: 'accept' | 'require';
  readonly trusted: readonly string[];
}

/** CONNECT and SOCKS5. */
export interface ExplicitListener extends ListenerBase {
  readonly kind: 'explicit';
}

/** TLS straight at us. */
export interface SniListener extends ListenerBase {
  readonly kind: 'sni';
  readonly upstreamPort: number;
}

/** Intercepted traffic. */
export interface TransparentListener extends ListenerBase {
  readonly kind: 'transparent';
  readonly intercept: 'redirect' | 'tproxy';
  readonly destination: 'resolve' | 'verify' | 'original';
  /** Whose address upstreams see; `keep`, the client's, only with tproxy. */
  readonly sourceAddress: 'own' | 'keep';
  /** The TCP ports that the ruleset sends here. */
  readonly ports: readonly number[];
  /** Where clients come in; a trailing `*` stands for any ending. Empty: everywhere. */
  readonly interfaces: readonly string[];
}

/** What the ruleset for the kernel says, beside the listeners. */
export interface NetfilterConfig {
  /** Texts that `Cidr.parse` takes. */
  readonly except: readonly string[];
  readonly strict: boolean;
  readonly local: boolean;
  /** A name or a number; never null when `local`. */
  readonly user: string | number | null;
}

export interface Limits {
  readonly flows: number | 'auto';
  /** 0: no limit. */
  readonly flowsPerSource: number;
  /** Connections whose opening is awaited; 0: no limit. */
  readonly undecided: number;
  readonly undecidedPerSource: number;
  /** New names a second; 0: no limit. */
  readonly lookupsPerSource: number;
  readonly helloTimeoutMs: number;
  readonly helloBytes: number;
  readonly dialTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly drainTimeoutMs: number;
}

export interface SitesConfig {
  /** Absolute; null: in memory only. */
  readonly storePath: string | null;
  readonly maxSites: number;
  readonly maxAgeMs: number;
}

/** The daemon configuration, checked whole. Plain data: it crosses threads by structured clone. */
export interface DaemonConfig {
  /** The file it was read from. */
  readonly file: string;
  /** Null: to be found out from the surroundings. */
  readonly gateway: string | null;
  /** Absolute. */
  readonly policyPath: string;
  readonly dataplane: 'auto' | 'epoll' | 'portable';
  readonly workers: number | 'auto';
  readonly listeners: readonly Listener[];
  /** `tokenFile` is absolute. */
  readonly admin: SocketAddress & {
    readonly tokenFile: string | null;
    readonly tokenFor: 'changes' | 'all';
    readonly hostnames: readonly string[];
  };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly format: 'json' | 'text';
    readonly foldMs: number;
  };
  readonly dns: {
    /** `10.0.0.2`, `10.0.0.2:53` or `[fd00::2]:53`, as `dns.setServers` takes them. */
    readonly servers: readonly string[];
    /** Canonical addresses by normalised hostname. */
    readonly hosts: Readonly<Record<string, readonly string[]>>;
  };
  /** Texts that `Cidr.parse` takes. */
  readonly destinations: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly netfilter: NetfilterConfig;
  readonly sites: SitesConfig;
  readonly limits: Limits;
  readonly onDeny: 'alert' | 'reset' | 'drop';
  readonly onPolicyChange: 'keep' | 'close';
}
