import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Audience, tellStory } from './story.ts';

// `npm run demo`: tells the story on the terminal. No network is needed: its sites are on loopback addresses.
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const ALONE = '--alone';

const terminal: Audience = {
  chapter: title => process.stdout.write(`\n== ${title}\n\n`),
  says: text => process.stdout.write(`${text}\n\n`),
  ran: (command, { code, stdout, stderr }) =>
    process.stdout.write(`$ ${command}\n${stdout}${stderr}${code === 0 ? '' : `(exit ${code})\n`}\n`),
};

try {
  await tellStory(MAIN, terminal);
} catch (error) {
  if (!isForbiddenPort(error) || process.argv.includes(ALONE)) throw error;
  process.exitCode = tellElsewhere();
}

/** Port 443 is root's on this host; in a user and network namespace of our own it is ours. */
function tellElsewhere(): number {
  const program = [process.execPath, fileURLToPath(import.meta.url), ALONE];
  const commands = ['-c', 'ip link set lo up && exec "$@"', 'sh', ...program];
  const { status } = spawnSync('unshare', ['--user', '--map-root-user', '--net', 'sh', ...commands], {
    stdio: 'inherit',
  });
  if (status === null)
    process.stderr.write('port 443 may not be used here, and unshare is missing: run this as root\n');
  return status ?? 1;
}

function isForbiddenPort(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EACCES';
}
