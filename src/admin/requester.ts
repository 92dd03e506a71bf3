import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';
import type { Requester } from './policy-changes.ts';

/** The header by which a command says who runs it, percent-encoded. */
export const USER_HEADER = 'x-sallyport-user';

/** Who asks: the peer as the socket knows it, and the name they give themselves. */
export function requesterOf(context: Context, wantsToken: boolean): Requester {
  return {
    peer: peerOf(context),
    auth: wantsToken ? 'token' : 'loopback',
    user: decoded(context.req.header(USER_HEADER)),
  };
}

/** The address it came from; null where it did not come over a socket. */
export function peerAddress(context: Context): string | null {
  return connection(context)?.address ?? null;
}

function peerOf(context: Context): string | null {
  const { address, port } = connection(context) ?? {};
  if (address === undefined) return null;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function connection(context: Context): { readonly address?: string; readonly port?: number } | null {
  // A request that did not come over a socket has no bindings.
  return context.env === undefined || !('incoming' in context.env) ? null : getConnInfo(context).remote;
}

function decoded(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
