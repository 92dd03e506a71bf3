import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gateway, type Ran } from './gateway.ts';
import { startUpstreams } from './upstreams.ts';
import { HONEST_HOSTS, LEAK, work } from './workload.ts';

/** Hears the story as it goes. */
export interface Audience {
  chapter(title: string): void;
  says(text: string): void;
  /** A command that was run, and what came of it. */
  ran(command: string, outcome: Ran): void;
}

/** What the story came to, for whoever wants to check. */
export interface Ending {
  readonly discovered: Ran;
  readonly readiness: Ran;
  readonly suggested: Ran;
  readonly replayed: Ran;
  readonly refusedMode: Ran;
  readonly enforced: Ran;
  /** What each host answered, under observe and under enforce. */
  readonly watched: ReadonlyMap<string, string>;
  readonly filtered: ReadonlyMap<string, string>;
  /** Requests that reached each host under enforce. */
  readonly reached: ReadonlyMap<string, number>;
  /** The log line of the refused leak. */
  readonly whyLine: string;
}

const WATCH_EVERYTHING = 'version: 1\nmode: observe      # watch first\nrules: []\n';

/** The whole way from "what do my tasks talk to?" to an enforced policy. `main`: the built program. */
export async function tellStory(main: string, audience: Audience): Promise<Ending> {
  const upstreams = await startUpstreams([...HONEST_HOSTS, LEAK]);
  const gateway = new Gateway(main);
  const run = async (...args: readonly string[]) => {
    const outcome = await gateway.run(...args);
    audience.ran(`sallyport ${args.join(' ').replaceAll(`${gateway.directory}/`, '')}`, outcome);
    return outcome;
  };
  try {
    audience.chapter('1. Observe');
    audience.says('Nobody knows what the workload talks to. It runs behind sallyport, which only watches.');
    await gateway.start(WATCH_EVERYTHING, upstreams.hosts);
    const watched = await work(gateway.proxyPort, 3);
    const discovered = await run('discover', 'show');

    audience.chapter('2. Are we ready to enforce?');
    const readiness = await run('readiness');

    audience.chapter('3. A policy from what was seen');
    const suggested = await run('suggest');
    const policy = join(gateway.directory, 'suggested.yaml');
    writeFileSync(policy, suggested.stdout);
    audience.says(`Reading it, somebody asks: what is ${LEAK}? Nobody knows. It goes.`);
    await run('deny', LEAK, '--policy', policy, '--yes');

    audience.chapter('4. What would change?');
    const replayed = await run(
      'replay',
      '--policy',
      policy,
      '--from',
      gateway.saveLog(),
      '-c',
      gateway.configPath,
    );
    audience.says('All that enforcing would drop is the leak. The policy goes into force, still observing.');
    copyFileSync(policy, gateway.policyPath);
    await run('reload');

    audience.chapter('5. Enforce');
    const refusedMode = await run('mode', 'enforce', '--yes');
    audience.says(
      'Readiness says why not: too short a watch, and a leak that would be dropped. That is what we want.',
    );
    const enforced = await run('mode', 'enforce', '--yes', '--force');

    audience.chapter('6. The same workload again');
    const before = new Map(upstreams.requests);
    const filtered = await work(gateway.proxyPort, 1);
    for (const [host, answer] of filtered) audience.says(`${host.padEnd(44)} ${answer}`);
    const reached = new Map(
      [...upstreams.requests].map(([host, count]) => [host, count - (before.get(host) ?? 0)]),
    );
    const whyLine = await gateway.line(record => record.hostname === LEAK && record.action === 'deny');
    audience.says(`And the log says why:\n${whyLine}`);
    return {
      discovered,
      readiness,
      suggested,
      replayed,
      refusedMode,
      enforced,
      watched,
      filtered,
      reached,
      whyLine,
    };
  } finally {
    await gateway.stop();
    upstreams.close();
  }
}
