import { ROOMS, V4 } from './addresses.ts';
import { chapters } from './chapters.ts';
import type { Intercept } from './gateway-config.ts';
import { reportRow } from './report.ts';
import { runRow } from './row.ts';
import { Town } from './town.ts';

export interface LabRun {
  readonly intercepts: readonly Intercept[];
  /** Leave the last one standing. */
  readonly keep: boolean;
  /** A checkout that was built. */
  readonly root: string;
}

type Say = (text: string) => void;

interface Tally {
  ok: number;
  skipped: number;
  readonly failed: string[];
}

/** Builds the labs, tries everything in them, and says so line by line. Returns the exit code. */
export async function tellLab({ intercepts, keep, root }: LabRun, say: Say): Promise<number> {
  const tally: Tally = { ok: 0, skipped: 0, failed: [] };
  for (const [i, intercept] of intercepts.entries()) {
    say(`${i === 0 ? '' : '\n'}building the lab with ${intercept} …\n`);
    const town = await Town.build({ intercept, root });
    let stands = false;
    try {
      await tryAll(town, tally, say);
      if (keep && i === intercepts.length - 1) {
        await leave(town, say);
        stands = true;
      }
    } finally {
      if (!stands) town.close();
    }
  }
  const { ok, skipped, failed } = tally;
  say(`\n${ok} ok, ${failed.length} failed, ${skipped} skipped\n`);
  for (const name of failed) say(`FAIL  ${name}\n`);
  return failed.length === 0 ? 0 : 1;
}

async function tryAll(town: Town, tally: Tally, say: Say): Promise<void> {
  const { intercept } = town;
  for (const { title, rows } of chapters(intercept)) {
    say(`\n== ${intercept}: ${title}\n\n`);
    for (const row of rows) {
      const result = await runRow(row, town);
      say(reportRow(result));
      if (result.skipped !== null) tally.skipped++;
      else if (result.faults.length === 0) tally.ok++;
      else tally.failed.push(`${intercept}: ${title}: ${row.tried}`);
    }
  }
}

/** Brings back what the last chapters have taken away, and lets the lab stand without us. */
async function leave(town: Town, say: Say): Promise<void> {
  await town.loadRuleset();
  town.setForwarding(1);
  town.leave();
  const shells = ROOMS.map(room => `  ip netns exec ${town.rooms.name(room).padEnd(40)} bash\n`);
  say(`\nThe lab stands. A shell in each room:\n${shells.join('')}
The daemon's configuration, policy (read again whenever it changes) and log are in ${town.directory}.
In the rooms build and legacy, for example:
  curl --cacert ${town.directory}/cert.pem https://api.example/
  openssl s_client -connect ${V4.attacker}:443 -servername api.example
Remove it with: npm run lab -- --remove\n`);
}
