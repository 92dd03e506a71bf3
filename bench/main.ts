import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from './arguments.ts';
import { allotCores, pinSelf } from './cores.ts';
import { describeBuild, describeMachine } from './measure/machine.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';
import { PARTS } from './parts.ts';
import { saveResults } from './report/results.ts';
import { formatSection, type Section } from './report/section.ts';
import { Scope } from './scope.ts';
import { Stage } from './stage.ts';

const scope = new Scope();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void end(130));
}
try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await bench(options);
  await end(0);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof UsageError ? error.message : describe(error)}\n`);
  await end(error instanceof UsageError ? 2 : 1);
}

async function bench({ extent, parts, save }: BenchOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  scope.add(() => rmSync(dir, { recursive: true, force: true }));
  const cores = allotCores();
  pinSelf(cores.load);
  const sections = new Map<string, Section>();
  for (const { name, run } of PARTS.filter(part => parts.includes(part.name))) {
    const progress = (text: string) => process.stderr.write(`${name}: ${text}\n`);
    // A fresh stage a part: what one part leaves behind in load or backend is not to slow the next one down.
    const section = await scope.within(async acts =>
      run(await Stage.set(acts, { extent, cores, dir, progress })),
    );
    sections.set(name, section);
    process.stdout.write(`${formatSection(section)}\n`);
  }
  if (!save) return;
  const files = saveResults(sections, {
    machine: describeMachine(),
    sallyport: describeBuild(),
    order: PARTS.map(part => part.name),
  });
  process.stderr.write(`saved in ${files.join(' and ')}\n`);
}

async function end(code: number): Promise<never> {
  await scope.close();
  process.exit(code);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
