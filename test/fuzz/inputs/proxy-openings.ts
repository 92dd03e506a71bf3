import fc from 'fast-check';
import { crc32c } from '../../../src/sniff/crc32c.ts';
import { PROXY_V2_SIGNATURE } from '../../../src/sniff/proxy-protocol-v2.ts';
import { bytes, concat, text, vector16 } from '../../support/client-hello.ts';
import { SOCKS_GREETING } from '../../support/tunnel.ts';
import { mutated } from './mutate.ts';
import { names } from './names.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const portBytes = port.map(number => bytes(number >> 8, number));

const socksAddress = fc.oneof(
  names.map(name => concat(bytes(3, name.length), text(name))),
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ip => concat(bytes(1), ip)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ip => concat(bytes(4), ip)),
);
const socksRequest = fc
  .tuple(fc.constantFrom(1, 1, 1, 1, 2, 3), socksAddress, portBytes)
  .map(([command, address, tail]) => concat(bytes(5, command, 0), address, tail));

/** A SOCKS5 request without the greeting, or nearly. */
export const socksRequests: fc.Arbitrary<Uint8Array> = fc.oneof(socksRequest, mutated(socksRequest, 3));

/** A SOCKS5 client from its first byte on. */
export const socksClients: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.oneof(
      fc.constant(SOCKS_GREETING),
      fc
        .array(fc.constantFrom(0, 1, 2), { maxLength: 4 })
        .map(methods => bytes(5, methods.length, ...methods)),
    ),
    socksRequests,
  )
  .map(parts => concat(...parts));

const v1Address = fc.constantFrom(
  '192.0.2.7',
  '198.51.100.10',
  '2001:db8::7',
  '::ffff:192.0.2.7',
  '192.0.2.07',
  '',
);
const v1 = fc
  .tuple(
    fc.constantFrom('TCP4', 'TCP6', 'UNKNOWN', 'UDP4'),
    v1Address,
    v1Address,
    port,
    fc.constantFrom('0', '443', '0443', '65536'),
  )
  .map(([family, from, to, fromPort, toPort]) =>
    text(`PROXY ${family} ${from} ${to} ${fromPort} ${toPort}\r\n`),
  );

const tlv = fc
  .tuple(fc.constantFrom(1, 2, 3, 4, 5, 0x20, 0x30, 0xea, 0xee), fc.uint8Array({ maxLength: 12 }))
  .map(([type, value]) => concat(bytes(type), vector16(value)));
const vpcEndpoint = fc
  .constantFrom('vpce-08d2bf15fac5001c9', 'vpce-\n', '')
  .map(id => concat(bytes(0xea), vector16(concat(bytes(1), text(id)))));
const v2 = fc
  .record({
    command: fc.constantFrom(0x20, 0x21, 0x21, 0x21, 0x22, 0x11),
    family: fc.constantFrom(0x11, 0x11, 0x21, 0x00, 0x12, 0x31, 0x41),
    addresses: fc
      .constantFrom(12, 12, 36, 36, 11, 0)
      .chain(n => fc.uint8Array({ minLength: n, maxLength: n })),
    tlvs: fc.array(fc.oneof(tlv, vpcEndpoint), { maxLength: 3 }),
    checksum: fc.boolean(),
  })
  .map(({ command, family, addresses, tlvs, checksum }) => {
    const sum = checksum ? bytes(3, 0, 4, 0, 0, 0, 0) : bytes();
    const header = concat(
      PROXY_V2_SIGNATURE,
      bytes(command, family),
      vector16(concat(addresses, ...tlvs, sum)),
    );
    if (checksum) new DataView(header.buffer).setUint32(header.length - 4, crc32c(header));
    return header;
  });

/** PROXY protocol headers of both versions, or nearly, with something behind. */
export const proxyHeaders: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.oneof(v1, v2, mutated(v1, 3), mutated(v2, 3)), fc.uint8Array({ maxLength: 8 }))
  .map(parts => concat(...parts));
