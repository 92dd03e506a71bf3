import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespaces } from '../support/namespaces.ts';
import type { Room } from './addresses.ts';
import { Program } from './program.ts';

/** It refuses to run as root. */
const USER = 'postgres';
/** The superuser of the database, who needs no password here. */
export const DATABASE_USER = 'app';

/** Starts a real server, with TLS, on port 5432 of every address outside. */
export async function startPostgres(
  rooms: Namespaces<Room>,
  bin: string,
  directory: string,
  certificate: { readonly key: string; readonly cert: string },
): Promise<Program> {
  const home = join(directory, 'postgres');
  mkdirSync(home);
  const data = join(home, 'data');
  rooms.exec('outside', 'chown', [USER, home]);
  // Its shared memory goes away with the processes of a namespace of its own.
  const asServer = ['unshare', '--ipc', 'setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'];
  const [setup = '', ...args] = [...asServer, join(bin, 'initdb'), '-D', data, '-U', DATABASE_USER];
  const { code, stderr } = await rooms.run('outside', setup, [
    ...args,
    '-A',
    'trust',
    '--no-sync',
    '-E',
    'UTF8',
  ]);
  if (code !== 0) throw new Error(`initdb: ${stderr}`);
  for (const [file, text] of [
    ['server.key', certificate.key],
    ['server.crt', certificate.cert],
    ['pg_hba.conf', 'host all all all trust\n'],
  ] as const) {
    writeFileSync(join(data, file), text, { mode: 0o600 });
    rooms.exec('outside', 'chown', [USER, join(data, file)]);
  }
  const settings = [
    'listen_addresses=*',
    'ssl=on',
    'fsync=off',
    'dynamic_shared_memory_type=mmap',
    `unix_socket_directories=${home}`,
  ].flatMap(setting => ['-c', setting]);
  return Program.start({
    name: 'postgres',
    directory,
    command: [...rooms.prefix('outside'), ...asServer, join(bin, 'postgres'), '-D', data, ...settings],
    isReady: line => line.includes('ready to accept connections'),
  });
}
