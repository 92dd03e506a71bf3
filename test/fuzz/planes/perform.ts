import type { FlowRecords, LogLine, TestDaemon } from '../../support/daemon.ts';
import { Peer } from '../../support/peer.ts';
import { openTunnel } from '../../support/tunnel.ts';
import type { Upstream } from '../../support/upstream.ts';
import { fromHex, toHex } from '../inputs/hex.ts';
import type { Script, Step } from './script.ts';

interface Received {
  readonly bytes: string;
  readonly end: string;
}

/** What could be seen of a flow from outside. Null for the ends of one that was refused while its client still spoke. */
export interface Performance {
  readonly forwarded: boolean;
  /** What each end received, in hex, and how the other side's direction ended. */
  readonly client: Received | null;
  readonly server: Received | null;
  readonly decision: Readonly<Record<string, unknown>>;
  readonly close: Readonly<Record<string, unknown>>;
}

/** Differ from flow to flow; the message repeats the fields. */
const OWN_TO_A_FLOW = ['time', 'flow', 'src_port', 'duration_ms', 'sniff_ms', 'msg'];
const PATIENCE_MS = 5_000;

/** Plays a script through a daemon, to an upstream that only this flow goes to. */
export async function perform(script: Script, daemon: TestDaemon, upstream: Upstream): Promise<Performance> {
  const index = upstream.peers.length;
  const client =
    script.route === 'sni'
      ? await Peer.dial(daemon.port('tls'))
      : await openTunnel(script.route, daemon.port('proxy'), 'allowed.example', upstream.port);
  try {
    for (const segment of script.opening) await client.send(fromHex(segment));
    if (script.finishes) client.finish();
    const arrived = upstream.peer(index);
    const ended = patiently('a verdict', client.end()).then(() => null);
    const server = (await Promise.race([arrived, ended])) ?? (await whereForwarded(client, arrived, daemon));
    if (server === null) return await seen(client, null, daemon);
    await settled(client, server, script.opening.join('').length / 2);
    for (const step of script.finishes ? [] : script.steps) {
      if (!(await take(step, client, server))) break;
    }
    // One after the other: the records say who was first.
    client.finish();
    await patiently("the end of the client's direction", server.end());
    server.finish();
    await patiently("the end of the server's direction", client.end());
    return await seen(client, server, daemon);
  } finally {
    client.socket.destroy();
    for (const peer of upstream.peers.slice(index)) peer.socket.destroy();
  }
}

/** The server's end of a flow that was cut before it was seen there; null where it was refused. */
async function whereForwarded(
  client: Peer,
  arrived: Promise<Peer>,
  daemon: TestDaemon,
): Promise<Peer | null> {
  const isOf = ({ src_port, event }: LogLine) => event === 'decision' && src_port === client.port;
  const { action } = await patiently('a decision', daemon.line(isOf));
  return action === 'allow' ? patiently('the server', arrived) : null;
}

/** Waits until the server has what the client has said, unless the flow is cut. */
async function settled(client: Peer, server: Peer, bytes: number): Promise<void> {
  const whole = server.atLeast(bytes).catch(() => null);
  await patiently('the opening', Promise.race([whole, client.end()]));
}

/** Does one step and waits until the other end has seen it. False when the flow is over. */
async function take({ end, act }: Step, client: Peer, server: Peer): Promise<boolean> {
  const [from, to] = end === 'client' ? [client, server] : [server, client];
  if (from.socket.writableEnded) return true;
  if (act === 'finish') {
    from.finish();
    await patiently('a half-close', to.end());
    return true;
  }
  if (act === 'reset') {
    from.reset();
    await patiently('a reset', to.end());
    return false;
  }
  const bytes = fromHex(act.send);
  const expected = to.received + bytes.length;
  await from.send(bytes);
  const arrived = to.atLeast(expected).then(
    () => true,
    () => false,
  );
  // A second hello for another name cuts the flow instead.
  const cut = from.end().then(() => false);
  return patiently('bytes', from.socket.readableEnded ? arrived : Promise.race([arrived, cut]));
}

async function seen(client: Peer, server: Peer | null, daemon: TestDaemon): Promise<Performance> {
  const { decision, close } = await patiently<FlowRecords>('the records', daemon.flow(client.port));
  return {
    forwarded: server !== null,
    client: server === null ? null : await received(client),
    server: server === null ? null : await received(server),
    decision: withoutOwn(decision),
    close: withoutOwn(close),
  };
}

async function received(peer: Peer): Promise<Received> {
  return { bytes: toHex(peer.bytes), end: await patiently('an end', peer.end()) };
}

function withoutOwn(line: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(line).filter(([key]) => !OWN_TO_A_FLOW.includes(key)));
}

/** A plane that never gets there is a finding, not a run that hangs. */
async function patiently<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
