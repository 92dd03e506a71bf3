import fc from 'fast-check';
import {
  alpnExtension,
  buildHandshake,
  bytes,
  concat,
  type Extension,
  record,
  serverNameExtension,
  text,
  toRecords,
  vector16,
} from '../../support/client-hello.ts';
import { mutated } from './mutate.ts';
import { names } from './names.ts';
import { seedsFrom } from './seeds.ts';

const SIGNATURES: Extension = [13, bytes(0, 4, 4, 3, 8, 4)];
const GROUPS: Extension = [10, bytes(0, 4, 0, 0x18, 0, 0x1d)];
const VERSIONS: Extension = [43, bytes(4, 3, 4, 3, 3)];

/** Mostly what a client says, now and then something else: several faults in one hello hide one another. */
function mostly<T>(usual: fc.Arbitrary<T>, ...odd: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...odd) });
}

/** server_name as RFC 6066 has it, with lists and types that nobody sends. */
const serverName: fc.Arbitrary<Extension> = fc.oneof(
  { weight: 5, arbitrary: names.map(serverNameExtension) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(0, 0, 0, 1, 255), names), { maxLength: 3 })
      .map(
        (entries): Extension => [0, vector16(concat(...entries.map(([type, name]) => entry(type, name))))],
      ),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((data): Extension => [0, data]) },
);

function entry(type: number, name: string): Uint8Array {
  return concat(bytes(type), vector16(text(name)));
}

const otherExtension: fc.Arbitrary<Extension> = fc.oneof(
  fc.constantFrom<Extension>(
    SIGNATURES,
    GROUPS,
    VERSIONS,
    [11, bytes(1, 0)],
    [23, bytes()],
    [35, bytes()],
    [0xff01, bytes(0)],
    [0x0a0a, bytes()],
    [0xfe0d, new Uint8Array(40).fill(1)],
    [21, new Uint8Array(30)],
  ),
  fc.array(fc.constantFrom('h2', 'http/1.1', '', 'x'), { maxLength: 3 }).map(alpnExtension),
  fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ maxLength: 20 })),
);

/** Extensions with one server_name among them, with none, or with several. */
const extensions = fc
  .tuple(
    fc.array(otherExtension, { maxLength: 4 }),
    fc.oneof(
      { weight: 6, arbitrary: serverName.map(one => [one]) },
      { weight: 1, arbitrary: fc.array(serverName, { maxLength: 2 }) },
    ),
    fc.array(otherExtension, { maxLength: 4 }),
    fc.constantFrom([SIGNATURES, GROUPS, VERSIONS], [SIGNATURES, GROUPS, VERSIONS], []),
    mostly(fc.constant('once'), 'twice'),
  )
  .map(([before, named, after, usual, types]) => {
    const all = [...before, ...named, ...after, ...usual];
    return types === 'twice'
      ? all
      : all.filter(([type], i) => all.findIndex(other => other[0] === type) === i);
  });

const handshake = fc
  .record({
    extensions,
    legacyVersion: mostly(fc.constant(0x0303), 0x0301, 0x0302, 0x0300, 0x0304, 0x0305, 0x0203),
    sessionId: mostly(fc.uint8Array({ maxLength: 32 }), new Uint8Array(33), new Uint8Array(255)),
    cipherSuites: mostly(
      fc.constantFrom(bytes(0x13, 0x01, 0xc0, 0x2f), bytes(0xc0, 0x2b)),
      bytes(),
      bytes(0x13),
    ),
    compressionMethods: mostly(fc.constant(bytes(0)), bytes(), bytes(1, 0)),
    tail: mostly(fc.constant(bytes()), bytes(0), bytes(0, 0)),
    handshakeType: mostly(fc.constant(1), 2, 0),
  })
  .map(options => buildHandshake(options));

/** Records that a hello does not consist of. */
const foreignRecord = fc
  .tuple(fc.constantFrom(20, 21, 22, 23, 24, 25, 0), fc.uint8Array({ maxLength: 6 }))
  .map(([type, payload]) => record(type, payload));

const built = fc
  .tuple(handshake, fc.array(fc.nat(260), { maxLength: 4 }), fc.option(foreignRecord, { freq: 8 }), fc.nat(3))
  .map(([message, cuts, foreign, where]) => {
    const whole = toRecords(message, cuts);
    if (foreign === null) return whole;
    const parts = recordsOf(whole);
    parts.splice(Math.min(where, parts.length), 0, foreign);
    return concat(...parts);
  });

function recordsOf(stream: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 5 + (((stream[at + 3] ?? 0) << 8) | (stream[at + 4] ?? 0));
    parts.push(stream.slice(at, end));
    at = end;
  }
  return parts;
}

/** Openings of flows that are ClientHellos, nearly ClientHellos, or were some once. */
export function helloStreams(): fc.Arbitrary<Uint8Array> {
  const seeds = seedsFrom('hellos.jsonl', 'adversarial.jsonl');
  return fc.oneof(
    { weight: 3, arbitrary: built },
    { weight: 3, arbitrary: mutated(seeds) },
    { weight: 3, arbitrary: mutated(built, 3) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}
