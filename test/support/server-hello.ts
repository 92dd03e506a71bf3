import { bytes, concat, record } from './client-hello.ts';

const RANDOM = new Uint8Array(32).fill(0x33);
const SUPPORTED_VERSIONS_13 = bytes(0, 43, 0, 2, 3, 4);

/** A ServerHello in one record: once it has passed, the server has chosen and a flow is no longer watched. */
export function buildServerHello(): Uint8Array {
  const body = concat(bytes(3, 3), RANDOM, bytes(0, 0x13, 0x01, 0), bytes(0, 6), SUPPORTED_VERSIONS_13);
  return record(22, concat(bytes(2, 0, 0, body.length), body));
}
