import { METHODS } from 'node:http';

const LONGEST = Math.max(...METHODS.map(method => method.length));

/**
 * Whether bytes can be the beginning of a request: of a method that node:http knows, and the space behind it. Other
 * protocols that begin with letters are told from HTTP by it before they have to wait for an answer.
 */
export function mayBeRequest(opening: Uint8Array): boolean {
  const text = Buffer.from(opening.subarray(0, LONGEST + 1)).toString('latin1');
  return METHODS.some(method => `${method} `.startsWith(text) || text.startsWith(`${method} `));
}
