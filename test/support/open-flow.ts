import { buildClientHello } from './client-hello.ts';
import type { TestDaemon } from './daemon.ts';
import { Peer } from './peer.ts';
import type { Scope } from './scope.ts';
import { buildServerHello } from './server-hello.ts';
import type { Upstream } from './upstream.ts';

/** A relayed flow, by its two ends. */
export interface OpenFlow {
  readonly client: Peer;
  readonly server: Peer;
}

/** What the ends of an open flow have said to each other. */
export const FLOW_HELLO = buildClientHello();
export const FLOW_ANSWER = buildServerHello();

/** Opens a flow through the daemon's `tls` listener: hello and answer have passed. The client is closed with the scope. */
export async function openFlow(daemon: TestDaemon, upstream: Upstream, scope: Scope): Promise<OpenFlow> {
  const index = upstream.peers.length;
  const client = await Peer.dial(daemon.port('tls'));
  scope.defer(() => client.socket.destroy());
  await client.send(FLOW_HELLO);
  const server = await upstream.peer(index);
  await server.send(FLOW_ANSWER);
  await client.atLeast(FLOW_ANSWER.length);
  return { client, server };
}
