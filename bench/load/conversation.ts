/** The name that every proxy under test lets pass. */
export const BENCH_NAME = 'bench.example';
/** What a proxy answers a CONNECT with ends so, as does the request. */
export const HEAD_END = Buffer.from('\r\n\r\n');
/** The first byte of a CONNECT, and of no TLS record. */
export const CONNECT_FIRST_BYTE = 0x43;

const COMMAND_DIGITS = 8;

/** Bulk data asked of the backend, as the client sees it. */
export interface BulkCommand {
  readonly direction: 'down' | 'up';
  readonly mib: number;
}

/** A 517-byte ClientHello, the size that browsers pad theirs to. */
export function benchHello(hostname = BENCH_NAME): Buffer {
  const name = Buffer.from(hostname);
  const serverName = extension(0, prefixed(2, Buffer.concat([Buffer.from([0]), prefixed(2, name)])));
  const versions = extension(43, prefixed(1, Buffer.from([3, 4, 3, 3])));
  const fixed = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    prefixed(1, Buffer.alloc(32, 9)),
    prefixed(2, Buffer.from([0x13, 0x01, 0x13, 0x02])),
    prefixed(1, Buffer.from([0])),
  ]);
  const used = 9 + fixed.length + 2 + serverName.length + versions.length + 4;
  const extensions = Buffer.concat([serverName, versions, extension(21, Buffer.alloc(517 - used))]);
  const body = Buffer.concat([fixed, prefixed(2, extensions)]);
  const handshake = Buffer.concat([Buffer.from([1]), prefixed(3, body)]);
  return Buffer.concat([Buffer.from([22, 3, 1]), prefixed(2, handshake)]);
}

/** What the backend answers: a record that reads as a ServerHello, and a kilobyte behind it. */
export function benchAnswer(): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 5),
    Buffer.from([0, 0x13, 0x01, 0, 0, 0]),
  ]);
  const hello = Buffer.concat([Buffer.from([2]), prefixed(3, body)]);
  const record = Buffer.concat([Buffer.from([22, 3, 3]), prefixed(2, hello)]);
  return Buffer.concat([record, Buffer.from([23, 3, 3]), prefixed(2, Buffer.alloc(1024, 1))]);
}

/** The request that opens a tunnel to BENCH_NAME. */
export function connectRequest(port: number): Buffer {
  const authority = `${BENCH_NAME}:${port}`;
  return Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
}

/** What the backend answers a CONNECT with, behind proxies that only relay. */
export function connectAnswer(): Buffer {
  return Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n');
}

/** Asks the backend for bulk data, once it has answered, in a record that reads as application data. */
export function encodeCommand({ direction, mib }: BulkCommand): Buffer {
  const text = `${direction === 'up' ? 'u' : 'd'}${String(mib).padStart(COMMAND_DIGITS, '0')}`;
  return Buffer.concat([Buffer.from([23, 3, 3]), prefixed(2, Buffer.from(text))]);
}

export const COMMAND_BYTES = encodeCommand({ direction: 'down', mib: 0 }).length;

export function decodeCommand(record: Buffer): BulkCommand {
  const text = record.toString('latin1', 5, COMMAND_BYTES);
  return { direction: text.startsWith('u') ? 'up' : 'down', mib: Number(text.slice(1)) };
}

/** What the backend says when it has received everything that a client had announced. */
export function receipt(): Buffer {
  return Buffer.from([23, 3, 3, 0, 1, 1]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), prefixed(2, body)]);
}

function prefixed(width: number, body: Buffer): Buffer {
  const length = Buffer.alloc(width);
  length.writeUIntBE(body.length, 0, width);
  return Buffer.concat([length, body]);
}
