import { latin1, u8, u16 } from './bytes.ts';
import type { ClientHelloFault } from './fault.ts';
import { hostnameFault } from './hostname.ts';

/** What a filter wants to know of a ClientHello. */
export interface ClientHello {
  /** The host_name as sent, case kept, in the grammar of `hostnameFault`; null when there is no server_name. */
  readonly serverName: string | null;
  /** ALPN protocol names in the client's order, one character a byte: hostile text until escaped. */
  readonly alpn: readonly string[];
  /** supported_versions in the client's order, GREASE included; empty when the extension is absent. */
  readonly versions: readonly number[];
  /**
   * legacy_version of the hello, 0x0301 to 0x0304. The last was sent by drafts of TLS 1.3; RFC 8446 §4.1.2 has no such
   * hello, so a strict caller refuses it.
   */
  readonly legacyVersion: number;
  /** Whether Encrypted Client Hello (real or GREASE) or its ESNI ancestor is present. */
  readonly ech: boolean;
}

const SERVER_NAME = 0;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;
const ENCRYPTED_SERVER_NAME = 0xffce;

/**
 * Reads the body of one whole ClientHello, `bytes[start, end)` without the four bytes of the handshake header
 * (RFC 8446 §4.1.2). Every length must add up. Keeps nothing of `bytes`.
 */
export function parseHelloBody(
  bytes: Uint8Array,
  start: number,
  end: number,
): ClientHello | ClientHelloFault {
  const sessionIdAt = start + 34;
  if (end < sessionIdAt + 1) return 'body-truncated';
  const legacyVersion = u16(bytes, start);
  if (legacyVersion < 0x0301 || legacyVersion > 0x0304) return 'legacy-version';

  const sessionIdLength = u8(bytes, sessionIdAt);
  if (sessionIdLength > 32) return 'session-id';
  const suitesAt = sessionIdAt + 1 + sessionIdLength;
  if (end < suitesAt + 2) return 'body-truncated';

  const suitesLength = u16(bytes, suitesAt);
  if (suitesLength === 0 || suitesLength % 2 !== 0) return 'cipher-suites';
  const compressionAt = suitesAt + 2 + suitesLength;
  if (end < compressionAt + 1) return 'body-truncated';

  const compressionLength = u8(bytes, compressionAt);
  if (compressionLength === 0) return 'compression-methods';
  const extensionsAt = compressionAt + 1 + compressionLength;
  if (end < extensionsAt) return 'body-truncated';

  if (end === extensionsAt) return { serverName: null, alpn: [], versions: [], legacyVersion, ech: false };
  if (u16(bytes, extensionsAt) !== end - extensionsAt - 2) return 'extensions-length';
  return parseExtensions(bytes, extensionsAt + 2, end, legacyVersion);
}

function parseExtensions(
  bytes: Uint8Array,
  start: number,
  end: number,
  legacyVersion: number,
): ClientHello | ClientHelloFault {
  const seen = new TypesSeen();
  let serverName: string | null = null;
  let alpn: string[] = [];
  let versions: number[] = [];
  let ech = false;
  for (let at = start; at < end; ) {
    if (end < at + 4) return 'extension-truncated';
    const type = u16(bytes, at);
    const data = at + 4;
    const next = data + u16(bytes, at + 2);
    if (next > end) return 'extension-truncated';
    if (!seen.add(type)) return 'extension-duplicate';
    if (type === SERVER_NAME) {
      const fault = serverNameFault(bytes, data, next);
      if (fault !== null) return fault;
      serverName = latin1(bytes, data + 5, next);
      const nameFault = hostnameFault(serverName);
      if (nameFault !== null) return nameFault;
    } else if (type === ALPN) {
      const list = parseAlpn(bytes, data, next);
      if (list === null) return 'alpn';
      alpn = list;
    } else if (type === SUPPORTED_VERSIONS) {
      const list = parseVersions(bytes, data, next);
      if (list === null) return 'supported-versions';
      versions = list;
    } else if (type === ENCRYPTED_CLIENT_HELLO || type === ENCRYPTED_SERVER_NAME) {
      ech = true;
    }
    at = next;
  }
  return { serverName, alpn, versions, legacyVersion, ech };
}

/** Extension types met in one hello. Most are below 32, and a set costs as much as the rest of the parse. */
class TypesSeen {
  #low = 0;
  #others: Set<number> | null = null;

  /** False when the type was there before. */
  add(type: number): boolean {
    if (type < 32) {
      const before = this.#low;
      this.#low |= 1 << type;
      return this.#low !== before;
    }
    this.#others ??= new Set();
    if (this.#others.has(type)) return false;
    this.#others.add(type);
    return true;
  }
}

/** RFC 6066 §3, held to the one shape that all stacks read alike: a list of exactly one host_name. */
function serverNameFault(bytes: Uint8Array, start: number, end: number): ClientHelloFault | null {
  if (start === end) return 'server-name-empty';
  if (end < start + 2 || u16(bytes, start) !== end - start - 2) return 'server-name-length';
  if (end === start + 2) return 'server-name-empty';
  if (u8(bytes, start + 2) !== 0) return 'server-name-type';
  if (end < start + 5) return 'server-name-length';
  const nameEnd = start + 5 + u16(bytes, start + 3);
  if (nameEnd > end) return 'server-name-length';
  if (nameEnd < end) return 'server-name-count';
  // Refused before the name is copied: hostnameFault would say the same of the copy.
  return nameEnd - start - 5 > 253 ? 'name-too-long' : null;
}

function parseAlpn(bytes: Uint8Array, start: number, end: number): string[] | null {
  if (end < start + 4 || u16(bytes, start) !== end - start - 2) return null;
  const names: string[] = [];
  for (let at = start + 2; at < end; ) {
    const next = at + 1 + u8(bytes, at);
    if (next === at + 1 || next > end) return null;
    names.push(latin1(bytes, at + 1, next));
    at = next;
  }
  return names;
}

function parseVersions(bytes: Uint8Array, start: number, end: number): number[] | null {
  const length = end - start - 1;
  if (length < 2 || length % 2 !== 0 || u8(bytes, start) !== length) return null;
  const versions = new Array<number>(length / 2);
  for (let i = 0; i < versions.length; i++) versions[i] = u16(bytes, start + 1 + 2 * i);
  return versions;
}
