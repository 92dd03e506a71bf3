import { arch, cpus, release } from 'node:os';
import type { SoakOptions } from './options.ts';
import { MAX_GROWTH_MIB, MAX_SLOPE_MIB, type SoakResult } from './soak.ts';

/** The result for a terminal. */
export function summaryOf(result: SoakResult): string {
  const { connections, records, seconds, findings, descriptors, residentMib } = result;
  const lines = [
    `${connections} connections, ${records} flows recorded, in ${Math.round(seconds)} s`,
    `descriptors: ${descriptors.before.all} before, ${descriptors.after.all} after (pipes ${descriptors.before.pipes}, ${descriptors.after.pipes})`,
    `memory: ${residentMib.before.toFixed(0)} MiB before, ${residentMib.after.toFixed(0)} MiB after; ${slopeText(result)}`,
    ...findings.map(
      ({ what, expected, found }) => `DIFFERENCE ${what}: expected ${expected}, found ${found}`,
    ),
    findings.length === 0 ? 'all counts agree' : `${findings.length} differences`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The result as Markdown. */
export function reportOf(result: SoakResult, { flows, seed, dataplane, width }: SoakOptions): string {
  const { connections, records, seconds, findings, policies, restarts, descriptors, residentMib, memory } =
    result;
  const rows = result.lived.map(({ life, count, received }) => {
    const outcomes = life.flows.map(
      ({ action, reason, end }) => `${reason ?? action}, ${end === '*' ? 'any end' : end}`,
    );
    return `| ${life.name} | ${count} | ${outcomes.join('; ')} | ${life.counted === null ? '' : received} |`;
  });
  return `# Soak

\`npm run soak -- --flows ${flows} --seed ${seed} --dataplane ${dataplane} --width ${width}\`: Node.js ${process.version}, Linux ${release()} ${arch()}, ${cpus().length} cores, which other work shared. It measures no speed.

| | |
|---|---|
| connections | ${connections} in ${Math.round(seconds)} s |
| flows recorded | ${records} |
| policies put in force, and refused | ${policies.good}, ${policies.broken} |
| restarts of an upstream | ${restarts} |
| DNS queries | ${result.dnsQueries} |
| descriptors before, after | ${descriptors.before.all} (${descriptors.before.pipes} pipes), ${descriptors.after.all} (${descriptors.after.pipes} pipes, of which each worker keeps some) |
| resident memory before, after | ${residentMib.before.toFixed(0)} MiB, ${residentMib.after.toFixed(0)} MiB |
| its lows, first and last quarter after 100 000 flows | ${memory.earlyMib.toFixed(1)} MiB, ${memory.lateMib.toFixed(1)} MiB (at most ${MAX_GROWTH_MIB} more) |
| slope over the second half | ${slopeText(result)} (at most ${MAX_SLOPE_MIB}) |
| exit code after SIGTERM | ${result.exitCode} |
| differences | ${findings.length === 0 ? 'none' : findings.length} |

Clients, records, metrics, upstreams and sites ${findings.length === 0 ? 'agree to the last flow and byte' : 'do not agree'}.
${findings.map(({ what, expected, found }) => `\n* ${what}: expected ${expected}, found ${found}`).join('')}

| kind | connections | outcome | bytes received |
|---|---:|---|---:|
${rows.join('\n')}
`;
}

function slopeText({ memory: { slope } }: SoakResult): string {
  return slope === null ? 'too short to tell what it grows by' : `${slope.toFixed(2)} MiB by 100 000 flows`;
}
