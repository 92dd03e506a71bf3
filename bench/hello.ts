/** The name that every proxy under test lets pass. */
const BENCH_NAME = 'bench.example';

/** A 517-byte ClientHello, the size that browsers pad theirs to, naming BENCH_NAME. */
export function benchHello(): Buffer {
  const name = Buffer.from(BENCH_NAME);
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

/** Asks the backend for `mib` MiB, in a record that reads as early data. */
export function benchCommand(mib: number): Buffer {
  return Buffer.concat([Buffer.from([23, 3, 3]), prefixed(2, Buffer.from(String(mib).padStart(8, '0')))]);
}

export function readCommand(record: Buffer): number {
  return Number(record.subarray(5).toString('latin1'));
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), prefixed(2, body)]);
}

function prefixed(width: number, body: Buffer): Buffer {
  const length = Buffer.alloc(width);
  length.writeUIntBE(body.length, 0, width);
  return Buffer.concat([length, body]);
}
