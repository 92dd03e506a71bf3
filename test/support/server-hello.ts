import { bytes, concat, record } from './client-hello.ts';

const RANDOM = new Uint8Array(32).fill(0x33);
/** SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3). */
const RETRY_RANDOM = Uint8Array.from(
  Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex'),
);
const SUPPORTED_VERSIONS_13 = bytes(0, 43, 0, 2, 3, 4);

/** A ServerHello in one record: once it has passed, the server has chosen and a flow is no longer watched. */
export function buildServerHello(): Uint8Array {
  return serverHello(RANDOM);
}

/** A HelloRetryRequest in one record: the client has to say its hello again. */
export function buildHelloRetryRequest(): Uint8Array {
  return serverHello(RETRY_RANDOM);
}

function serverHello(random: Uint8Array): Uint8Array {
  const body = concat(bytes(3, 3), random, bytes(0, 0x13, 0x01, 0), bytes(0, 6), SUPPORTED_VERSIONS_13);
  return record(22, concat(bytes(2, 0, 0, body.length), body));
}
