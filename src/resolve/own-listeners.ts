import { networkInterfaces } from 'node:os';
import { IpAddress } from '../policy/address.ts';
import { judgedAddresses } from './embedded-ipv4.ts';

const REMEMBER_MS = 1_000;

/** An address this process listens on: a flow listener or the admin server. */
export interface ListeningAddress {
  readonly ip: IpAddress;
  readonly port: number;
}

/**
 * Tells whether a dial would come back to this process, also through another address of this host when the
 * listener is bound to a wildcard. No exemption lifts it: `destinations.allow` is not asked. An address that only
 * the network maps to this host (an elastic IP, a load balancer) is beyond it.
 */
export class OwnListeners {
  readonly #byPort = new Map<number, IpAddress[]>();
  readonly #localAddresses: () => readonly IpAddress[];

  /** `localAddresses` is asked only when a port is one of ours. */
  constructor(
    listening: readonly ListeningAddress[],
    localAddresses: () => readonly IpAddress[] = rememberBriefly(addressesOfThisHost),
  ) {
    this.#localAddresses = localAddresses;
    for (const { ip, port } of listening) {
      const bound = this.#byPort.get(port);
      if (bound === undefined) this.#byPort.set(port, [ip]);
      else bound.push(ip);
    }
  }

  isOwn(ip: IpAddress, port: number): boolean {
    const bound = this.#byPort.get(port);
    if (bound === undefined) return false;
    return judgedAddresses(ip).some(target => this.#reaches(target, bound));
  }

  #reaches(target: IpAddress, bound: readonly IpAddress[]): boolean {
    // Linux connects 0.0.0.0 and :: to loopback; which listener answers there is not worth guessing.
    if (isUnspecified(target) || bound.some(ip => ip.equals(target))) return true;
    if (!bound.some(isUnspecified)) return false;
    return isLoopback(target) || this.#localAddresses().some(ip => ip.equals(target));
  }
}

function isUnspecified(ip: IpAddress): boolean {
  const [w0, w1, w2, w3] = ip.words;
  return w0 === 0 && w1 === 0 && (w2 === 0 || w2 === 0xffff) && w3 === 0;
}

/** 127.0.0.0/8 and ::1. */
function isLoopback(ip: IpAddress): boolean {
  const [w0, w1, w2, w3] = ip.words;
  if (w0 !== 0 || w1 !== 0) return false;
  return w2 === 0xffff ? w3 >>> 24 === 127 : w2 === 0 && w3 === 1;
}

function addressesOfThisHost(): IpAddress[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .flatMap(({ address }) => IpAddress.parse(address) ?? []);
}

/** Interfaces come and go, but listing them for every dial would cost more than the dial. */
function rememberBriefly(list: () => IpAddress[]): () => readonly IpAddress[] {
  let addresses: readonly IpAddress[] = [];
  let listedMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - listedMs > REMEMBER_MS) {
      addresses = list();
      listedMs = performance.now();
    }
    return addresses;
  };
}
