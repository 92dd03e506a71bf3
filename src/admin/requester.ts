import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';
import type { Requester } from './policy-changes.ts';

/** The header by which a command says who runs it, percent-encoded. */
export const USER_HEADER = 'x-sallyport-user';

/** Who asks: the peer as the socket knows it, and the name they give themselves. */
export function requesterOf(context: Context, token: string | null): Requester {
  return {
    peer: peerOf(context),
    auth: token === null ? 'loopback' : 'token',
    user: decoded(context.req.header(USER_HEADER)),
  };
}

function peerOf(context: Context): string | null {
  // A request that did not come over a socket has no bindings.
  if (context.env === undefined || !('incoming' in context.env)) return null;
  const { address, port } = getConnInfo(context).remote;
  if (address === undefined) return null;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function decoded(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
