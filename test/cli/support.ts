import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { startAdminServer } from '../../src/admin/admin-server.ts';
import { runProgram } from '../../src/cli/program.ts';
import { ADMIN, FakeDaemon } from '../admin/support.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process. */
export async function sallyport(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  stdin: readonly (string | Buffer)[] = [],
): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await runProgram(args, {
    out: text => {
      out += text;
    },
    err: text => {
      err += text;
    },
    env,
    stdin: Readable.from(stdin, { objectMode: false }),
    errIsTerminal: false,
  });
  return { code, out, err };
}

/** The text as a file in a directory that goes away with the test. */
export function fileWith(text: string | Buffer, name = 'policy.yaml'): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

/** A daemon behind a real admin server, for this test; `admin` is its address. */
export async function fakeDaemon(
  tokenFile: string | null = null,
): Promise<{ daemon: FakeDaemon; admin: string }> {
  const daemon = new FakeDaemon();
  const server = await startAdminServer({ ...ADMIN, tokenFile }, daemon);
  onTestFinished(() => server.close());
  return { daemon, admin: `127.0.0.1:${server.address.port}` };
}

/** An address where nothing listens. */
export async function deadAddress(): Promise<string> {
  const server = await startAdminServer(ADMIN, new FakeDaemon());
  await server.close();
  return `127.0.0.1:${server.address.port}`;
}
