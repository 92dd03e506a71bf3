export interface ClientHelloOptions {
  /** null: no server_name extension. A Uint8Array goes on the wire as it is. */
  readonly serverName?: string | Uint8Array | null;
  readonly alpn?: readonly string[];
  readonly versions?: readonly number[];
  /** Adds an encrypted_client_hello extension. */
  readonly ech?: boolean;
  /** Replaces all extensions, the ones made from the options above included. Null: no extensions block. */
  readonly extensions?: readonly Extension[] | null;
  /** Comes after the other extensions. */
  readonly extraExtensions?: readonly Extension[];
  readonly legacyVersion?: number;
  readonly sessionId?: Uint8Array;
  readonly cipherSuites?: Uint8Array;
  readonly compressionMethods?: Uint8Array;
  /** Overrides the length field of the extensions block. */
  readonly extensionsLength?: number;
  /** Bytes behind the extensions, inside the hello. */
  readonly tail?: Uint8Array;
  readonly handshakeType?: number;
  /** Offsets into the handshake message at which a new record begins; default: one record. */
  readonly cuts?: readonly number[];
}

export type Extension = readonly [type: number, data: Uint8Array];

/** A ClientHello in TLS records; by default a small TLS 1.3 one for allowed.example. */
export function buildClientHello(options: ClientHelloOptions = {}): Uint8Array {
  return toRecords(buildHandshake(options), options.cuts);
}

/** The handshake message alone. */
export function buildHandshake(options: ClientHelloOptions = {}): Uint8Array {
  const body = concat(
    u16(options.legacyVersion ?? 0x0303),
    new Uint8Array(32).fill(0x5a),
    vector8(options.sessionId ?? new Uint8Array(32).fill(0xa5)),
    vector16(options.cipherSuites ?? bytes(0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f)),
    vector8(options.compressionMethods ?? bytes(0)),
    extensionsBlock(options),
    options.tail ?? bytes(),
  );
  return concat(bytes(options.handshakeType ?? 1), u24(body.length), body);
}

/** Puts a handshake message into records that begin at 0 and at each of `cuts`, none longer than 2^14 bytes. */
export function toRecords(handshake: Uint8Array, cuts: readonly number[] = []): Uint8Array {
  const full = Array.from(
    { length: Math.floor((handshake.length - 1) / 16_384) },
    (_, i) => (i + 1) * 16_384,
  );
  const inside = [...cuts, ...(cuts.length === 0 ? full : [])].filter(at => at > 0 && at < handshake.length);
  const bounds = [0, ...[...new Set(inside)].sort((a, b) => a - b), handshake.length];
  return concat(...bounds.slice(1).map((end, i) => record(22, handshake.subarray(bounds[i], end))));
}

export function record(type: number, payload: Uint8Array): Uint8Array {
  return concat(bytes(type, 3, 1), vector16(payload));
}

export function serverNameExtension(name: string | Uint8Array): Extension {
  const raw = typeof name === 'string' ? text(name) : name;
  return [0, vector16(concat(bytes(0), vector16(raw)))];
}

export function alpnExtension(names: readonly string[]): Extension {
  return [16, vector16(concat(...names.map(name => vector8(text(name)))))];
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function u16(value: number): Uint8Array {
  return bytes(value >> 8, value);
}

export function vector16(data: Uint8Array): Uint8Array {
  return concat(u16(data.length), data);
}

export function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value, 'latin1'));
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function extensionsBlock(options: ClientHelloOptions): Uint8Array {
  if (options.extensions === null) return bytes();
  const list = options.extensions ?? defaultExtensions(options);
  const data = concat(
    ...[...list, ...(options.extraExtensions ?? [])].map(([type, d]) => concat(u16(type), vector16(d))),
  );
  return concat(u16(options.extensionsLength ?? data.length), data);
}

function defaultExtensions(options: ClientHelloOptions): Extension[] {
  const { serverName = 'allowed.example', alpn = ['h2', 'http/1.1'], versions = [0x0304, 0x0303] } = options;
  return [
    ...(serverName === null ? [] : [serverNameExtension(serverName)]),
    ...(alpn.length === 0 ? [] : [alpnExtension(alpn)]),
    ...(versions.length === 0 ? [] : [[43, vector8(concat(...versions.map(u16)))] as const]),
    ...(options.ech ? [[0xfe0d, new Uint8Array(64).fill(7)] as const] : []),
  ];
}

function u24(value: number): Uint8Array {
  return bytes(value >> 16, value >> 8, value);
}

function vector8(data: Uint8Array): Uint8Array {
  return concat(bytes(data.length), data);
}
