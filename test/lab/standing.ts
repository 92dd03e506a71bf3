import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { namespaceNames } from '../support/namespaces.ts';
import { isKept } from './directory.ts';
import { ID_PREFIX, removeLab } from './town.ts';

const ID = new RegExp(`^(${ID_PREFIX}(\\d+)-[0-9a-f]{6})(?:-[a-z]+)?$`);

/** Removes every lab that was left standing or whose process has died; those that are being used stay. Returns the exit code. */
export function removeStanding(say: (text: string) => void): number {
  let removed = 0;
  for (const [id, pid] of standing()) {
    if (isRunning(pid) && !isKept(id)) {
      say(`${id} stays: process ${pid} uses it\n`);
      continue;
    }
    removeLab(id);
    removed++;
    say(`${id} is removed\n`);
  }
  if (removed === 0) say('nothing to remove\n');
  return 0;
}

/** Ids of labs of which there is anything, with the process that has built each. */
function standing(): Map<string, number> {
  const traces = [...namespaceNames(), ...readdirSync(tmpdir())];
  const matches = traces.map(trace => ID.exec(trace)).filter(match => match !== null);
  return new Map(matches.map(([, id = '', pid]) => [id, Number(pid)]));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
