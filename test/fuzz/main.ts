import { writeFileSync } from 'node:fs';
import { UsageError } from '../../bench/arguments.ts';
import { type FuzzOptions, helpText, readOptions } from './options.ts';
import { readRegressions } from './regressions.ts';
import { replayRows } from './replay.ts';
import { type FuzzReport, toMarkdown } from './report.ts';
import { type Progress, runTarget, type TargetReport } from './run-target.ts';
import { TARGETS } from './targets.ts';

const TERMINAL_MS = 200;
const LINES_MS = 10_000;

try {
  const options = readOptions(process.argv.slice(2), TARGETS);
  if (options.help) process.stdout.write(helpText(TARGETS));
  else process.exitCode = options.replay === null ? await fuzz(options) : await replay(options.replay);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`fuzz: ${error.message}\n`);
  process.exitCode = 2;
}

async function fuzz({ targets, extent, report }: FuzzOptions): Promise<number> {
  const reports: TargetReport[] = [];
  for (const target of targets) reports.push(await runTarget(target, extent, progressLine()));
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  const whole: FuzzReport = { seed: extent.seed, node: process.version, targets: reports };
  const text = toMarkdown(whole);
  process.stdout.write(text);
  if (report !== null) {
    writeFileSync(report, report.endsWith('.json') ? `${JSON.stringify(whole, null, 2)}\n` : text);
  }
  return reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

/** Writes over one line on a terminal, else says a line now and then. */
function progressLine(): (progress: Progress) => void {
  const isTerminal = process.stderr.isTTY;
  let saidMs = 0;
  return ({ target, property, executions, seconds, findings }) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < (isTerminal ? TERMINAL_MS : LINES_MS)) return;
    saidMs = nowMs;
    const text = `${target}: ${executions} executions in ${Math.round(seconds)} s, ${findings} findings; ${property}`;
    process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
}

async function replay(path: string): Promise<number> {
  let failures = 0;
  const rows = readRegressions(path);
  await replayRows(rows, TARGETS, ({ target, property }, failure) => {
    if (failure === null) return;
    failures++;
    process.stdout.write(`${target}: it does not hold that ${property}: ${failure}\n`);
  });
  process.stdout.write(`${rows.length - failures} of ${rows.length} rows hold\n`);
  return failures === 0 ? 0 : 1;
}
