import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { hasCommand } from './command.ts';
import { Scope } from './scope.ts';
import { until } from './until.ts';

/** What nginx needs for its stream blocks. */
export const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** Starts a program that listens on `port`, and waits until it does. */
export async function startProgram(
  scope: Scope,
  port: number,
  command: string,
  args: readonly string[],
): Promise<void> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => output.push(chunk));
  const ended = once(child, 'exit');
  scope.defer(() => {
    child.kill('SIGKILL');
    return ended;
  });
  await until(`${command} listens`, async () => {
    if (child.exitCode !== null) throw new Error(`${command} has ended: ${Buffer.concat(output)}`);
    return canConnect(port);
  });
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A file with this text in a directory of its own, for as long as the scope lasts. */
export function configFile(scope: Scope, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-peer-'));
  scope.defer(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'peer.conf');
  writeFileSync(file, text);
  return file;
}

/** Tests that need a program, and a module of it perhaps; where it is missing they say so and are skipped. */
export function describeWith(
  program: string,
  name: string,
  body: (scope: Scope) => void,
  module = '/',
): void {
  const isThere = hasCommand(program) && existsSync(module);
  describe.skipIf(!isThere)(
    isThere ? name : `${name} (skipped: needs ${program}${module === '/' ? '' : ` with ${module}`})`,
    () => {
      const scope = new Scope();
      afterAll(() => scope.close());
      body(scope);
    },
  );
}
