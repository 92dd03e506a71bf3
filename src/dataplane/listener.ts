/** What a flow needs to know of the listener it came in by. */
export type Listener =
  /** CONNECT and SOCKS5: the client names its destination to us. `gateway` signs refusals. */
  | { readonly kind: 'explicit'; readonly name: string; readonly gateway: string }
  /** TLS straight at us, because DNS points here. */
  | { readonly kind: 'sni'; readonly name: string; readonly upstreamPort: number }
  /** Traffic on its way elsewhere, led to us. `keepsSource`: upstreams see the client's address. */
  | {
      readonly kind: 'transparent';
      readonly name: string;
      readonly intercept: 'redirect' | 'tproxy';
      readonly destination: DestinationMode;
      readonly keepsSource: boolean;
    };

/**
 * Where a transparent flow is dialled in enforce mode: an address that we resolved; the same, but refuse when the
 * client's own choice is not among them; or the client's choice unseen.
 */
export type DestinationMode = 'resolve' | 'verify' | 'original';
