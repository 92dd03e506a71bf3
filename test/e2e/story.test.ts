import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type Ending, tellStory } from '../demo/story.ts';
import { HONEST_HOSTS, LEAK } from '../demo/workload.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;
const name = isRoot
  ? 'from observing to enforcing'
  : 'from observing to enforcing (skipped: port 443 needs root)';

it.skipIf(!isRoot)(name, async () => {
  const commands: string[] = [];
  const ending: Ending = await tellStory(MAIN, {
    chapter: () => {},
    says: () => {},
    ran: (command, { code }) => commands.push(`${command} -> ${code}`),
  });
  const all = [...HONEST_HOSTS, LEAK];

  // While watching, all goes through, and every site is known.
  expect([...ending.watched.values()]).toEqual(all.map(() => 'HTTP/1.1 200 OK'));
  for (const host of all) expect(ending.discovered.stdout).toContain(`${host},tcp,443`);
  expect(ending.readiness.code).toBe(1);
  expect(ending.readiness.stdout).toContain(LEAK);

  // The suggestion is small: presets and a bucket rule stand for the honest hosts.
  expect(ending.suggested.stdout).toMatch(/presets: .*docker-hub/);
  expect(ending.suggested.stdout).toMatch(/buckets:\s+- app-artifacts/);

  // What the policy would change is the leak, and nothing else.
  const [, wouldDrop = ''] = ending.replayed.stdout.split('mode: enforce would drop');
  expect(wouldDrop).toContain(LEAK);
  for (const host of HONEST_HOSTS) expect(wouldDrop).not.toContain(host);
  expect(ending.replayed.stdout).toContain(' 0 would be lost');

  // Enforcing is refused until somebody insists, and says why.
  expect(ending.refusedMode.code).toBe(1);
  expect(ending.refusedMode.stderr).toContain('enforce would drop 3 flows to 1 sites');
  expect(ending.enforced.code, ending.enforced.stderr).toBe(0);

  // The workload works, the leak is refused before it reaches anyone, and one line says why.
  for (const host of HONEST_HOSTS) {
    expect([host, ending.filtered.get(host), ending.reached.get(host)]).toEqual([host, 'HTTP/1.1 200 OK', 1]);
  }
  expect(ending.filtered.get(LEAK)).toContain(' 403 ');
  expect(ending.reached.get(LEAK)).toBe(0);
  expect(JSON.parse(ending.whyLine)).toMatchObject({
    hostname: LEAK,
    state: 'DENIED',
    reason: 'rule_denied',
  });
});
