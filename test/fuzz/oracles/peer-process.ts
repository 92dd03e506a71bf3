import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/until.ts';

export interface PeerCommand {
  readonly command: string;
  /** The configuration goes into a file of its own, which is the last argument. */
  readonly args: readonly string[];
  readonly config: string;
  /** One that it listens on. */
  readonly port: number;
}

/** Starts another proxy on loopback and waits until it listens. It ends with the scope. */
export async function startPeer(scope: Scope, { command, args, config, port }: PeerCommand): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  scope.defer(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'peer.conf');
  writeFileSync(file, config.replaceAll('@DIR@', directory));
  const child = spawn(command, [...args, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => output.push(chunk));
  const ended = once(child, 'close');
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  scope.defer(async () => {
    process.off('exit', killAtExit);
    child.kill('SIGKILL');
    await ended;
  });
  await until(`${command} listens`, async () => {
    if (child.exitCode !== null) throw new Error(`${command} has ended: ${Buffer.concat(output)}`);
    return (await converse(port, new Uint8Array(0))) !== null;
  });
}

export interface Conversation {
  /** The port that it came from. */
  readonly localPort: number;
  readonly answer: Buffer;
}

/** Connects, writes, half-closes, and reads to the end; null when nobody listens. */
export function converse(port: number, bytes: Uint8Array): Promise<Conversation | null> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const answer: Buffer[] = [];
    let localPort: number | null = null;
    socket.on('connect', () => {
      localPort = socket.localPort ?? 0;
      socket.end(bytes);
    });
    socket.on('data', chunk => answer.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () =>
      resolve(localPort === null ? null : { localPort, answer: Buffer.concat(answer) }),
    );
  });
}
