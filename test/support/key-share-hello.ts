import { createECDH } from 'node:crypto';
import {
  buildHandshake,
  bytes,
  concat,
  type Extension,
  serverNameExtension,
  vector16,
} from './client-hello.ts';

const P384 = 0x18;
const X25519 = 0x1d;

/** A TLS 1.3 hello that a server which insists on P-384 takes, at once (`secp384r1`) or after a retry (`x25519`). */
export function helloWithShare(name: string | null, share: 'x25519' | 'secp384r1'): Uint8Array {
  const [group, key] = share === 'x25519' ? [X25519, new Uint8Array(32).fill(9)] : [P384, P384_POINT];
  const keyShare = concat(bytes(group >> 8, group), vector16(key));
  const extensions: Extension[] = [
    ...(name === null ? [] : [serverNameExtension(name)]),
    [10, vector16(bytes(0, P384, 0, X25519))],
    [13, vector16(bytes(4, 3, 8, 4))],
    [43, bytes(2, 3, 4)],
    [51, vector16(keyShare)],
  ];
  return buildHandshake({ extensions, cipherSuites: bytes(0x13, 0x01, 0x13, 0x02) });
}

/** A server checks that it lies on the curve. */
const P384_POINT = Uint8Array.from(createECDH('secp384r1').generateKeys());
