import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../bench/arguments.ts';
import { HELP, readOptions } from './options.ts';
import { reportOf, summaryOf } from './report.ts';
import { soak } from './soak.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const SAY_MS = 2_000;

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.exitCode = await run();

async function run(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.help) {
      process.stdout.write(HELP);
      return 0;
    }
    let saidMs = Number.NEGATIVE_INFINITY;
    const result = await soak(options, MAIN, text => {
      if (performance.now() - saidMs < SAY_MS) return;
      saidMs = performance.now();
      process.stderr.write(`${text}\n`);
    });
    process.stdout.write(summaryOf(result));
    if (options.report !== null) writeFileSync(options.report, reportOf(result, options));
    return result.findings.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`soak: ${error.message}\n`);
    return 2;
  }
}
