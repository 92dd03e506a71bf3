import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { namespaceNames } from '../support/namespaces.ts';
import { isKept } from './directory.ts';
import { ID_PREFIX, removeLab } from './town.ts';

/** A lab of this host of which there is anything. */
interface Standing {
  readonly id: string;
  /** Who has built it. */
  readonly pid: number;
  /** Whether it is being used: its process runs, and was not told to leave it. */
  readonly isUsed: boolean;
}

const ID = new RegExp(`^(${ID_PREFIX}(\\d+)-[0-9a-f]{6})(?:-[a-z]+)?$`);

export function standingLabs(): Standing[] {
  const traces = [...namespaceNames(), ...readdirSync(tmpdir())];
  const matches = traces.map(trace => ID.exec(trace)).filter(match => match !== null);
  const pids = new Map(matches.map(([, id = '', pid]) => [id, Number(pid)]));
  return [...pids].map(([id, pid]) => ({ id, pid, isUsed: isRunning(pid) && !isKept(id) }));
}

/** Removes every lab that was left standing or whose process has died; those that are being used stay. Returns the exit code. */
export function removeStanding(say: (text: string) => void): number {
  const labs = standingLabs();
  for (const { id, pid, isUsed } of labs) {
    if (!isUsed) removeLab(id);
    say(isUsed ? `${id} stays: process ${pid} uses it\n` : `${id} is removed\n`);
  }
  if (labs.every(({ isUsed }) => isUsed)) say('nothing to remove\n');
  return 0;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
