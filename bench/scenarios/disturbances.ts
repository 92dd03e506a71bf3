import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { largePolicy } from '../load/rules.ts';
import type { Running } from '../proxies/launch.ts';
import type { Scope } from '../scope.ts';

const SCRAPE_MS = 1_000;
const POLL_MS = 200;
/** What the reader of a slow log takes, against some ten thousand lines a second that are written. */
const SLOW_READ_BYTES = 4_096;
const SLOW_READ_MS = 50;

/** Something that goes on beside the flows. The function that it gives back ends it and says what went on. */
export type Disturbance = (running: Running) => () => Promise<string>;

export const nothing: Disturbance = () => async () => '';

/** Puts one policy of so many rules after another in place, each as soon as the last one is in force. */
export function reloading(rules: number): Disturbance {
  let edition = 0;
  return running => {
    let longestMs = 0;
    const end = repeatedly(async () => {
      const { sha256 } = (await status(running)).policy;
      const path = join(running.configDir, 'policy-enforce.yaml');
      writeFileSync(`${path}.new`, largePolicy(rules, running.backend.port, edition++));
      renameSync(`${path}.new`, path);
      const begunMs = performance.now();
      while ((await status(running)).policy.sha256 === sha256) await sleep(POLL_MS);
      longestMs = Math.max(longestMs, performance.now() - begunMs);
    });
    return async () => `${await end()} loaded, the slowest in ${(longestMs / 1000).toFixed(1)} s`;
  };
}

/** Reads /metrics every second. */
export const scraping: Disturbance = running => {
  const end = repeatedly(async () => {
    await (await fetch(`${admin(running)}/metrics`)).text();
    await sleep(SCRAPE_MS);
  });
  return async () => `${await end()} times`;
};

/** Counts the collections that `--trace-gc` tells of in the log. */
export const collecting: Disturbance = running => {
  const log = join(running.dir, 'stdout.log');
  const before = readFileSync(log).length;
  return async () => {
    const pauses = [...readFileSync(log).toString('latin1', before).matchAll(GC_LINE)].map(([, ms]) =>
      Number(ms),
    );
    return `${pauses.length} collections, the longest ${Math.max(0, ...pauses).toFixed(1)} ms`;
  };
};

/** `[12:0x1] 59 ms: Scavenge 4.1 (4.2) -> 3.8 (5.2) MB, 3.70 / 0.00 ms  (…`, `Mark-Compact (reduce) …` */
const GC_LINE = /^\[\d+:0x\w+\] +\d+ ms: (?:Scavenge|Mark-Compact).*?, ([\d.]+) \/ [\d.]+ ms/gm;

/** A pipe for a log, whose reader takes far less than is written. */
export function slowPipe(scope: Scope, dir: string): { fd: number; disturbance: Disturbance } {
  const path = join(dir, 'log.pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY);
  const bytes = Buffer.alloc(SLOW_READ_BYTES);
  const timer = setInterval(() => {
    try {
      readSync(reader, bytes);
    } catch {
      // nothing is there at the moment
    }
  }, SLOW_READ_MS);
  scope.add(() => {
    clearInterval(timer);
    for (const end of [reader, fd]) closeSync(end);
  });
  return {
    fd,
    disturbance: running => {
      const before = status(running);
      return async () => {
        const dropped = (await status(running)).logLinesDropped - (await before).logLinesDropped;
        return `${dropped} log lines dropped and counted`;
      };
    },
  };
}

/** Does `once` again and again, until it is ended, which comes to how often it was done. */
function repeatedly(once: () => Promise<void>): () => Promise<number> {
  let [isOver, done] = [false, 0];
  const work = (async () => {
    for (; !isOver; done++) await once();
  })();
  return async () => {
    isOver = true;
    await work;
    return done;
  };
}

interface DaemonStatus {
  readonly policy: { readonly sha256: string };
  readonly logLinesDropped: number;
}

async function status(running: Running): Promise<DaemonStatus> {
  return (await fetch(`${admin(running)}/api/v1/status`)).json() as Promise<DaemonStatus>;
}

function admin({ adminPort }: Running): string {
  return `http://127.0.0.1:${adminPort}`;
}
