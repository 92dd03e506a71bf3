import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../measure/machine.ts';
import { formatSection, type Section } from './section.ts';

const RESULTS = new URL('../../../bench/results/', import.meta.url);

/** A part as it was measured last. */
interface SavedPart {
  readonly takenAt: string;
  /** Version and commit. */
  readonly sallyport: string;
  readonly machine: Machine;
  readonly section: Section;
}

type Saved = Readonly<Record<string, SavedPart>>;

/** Puts parts beside or in place of those saved before, in the order of `order`, as JSON and as markdown. Returns the files. */
export function saveResults(
  sections: ReadonlyMap<string, Section>,
  { machine, sallyport, order }: { machine: Machine; sallyport: string; order: readonly string[] },
): string[] {
  mkdirSync(RESULTS, { recursive: true });
  const [json, markdown] = [new URL('latest.json', RESULTS), new URL('latest.md', RESULTS)];
  const before: Saved = existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : {};
  const takenAt = new Date().toISOString();
  const saved: Record<string, SavedPart> = {};
  for (const part of order) {
    const section = sections.get(part);
    const kept = section === undefined ? before[part] : { takenAt, sallyport, machine, section };
    if (kept !== undefined) saved[part] = kept;
  }
  writeFileSync(json, `${JSON.stringify(saved, null, 1)}\n`);
  writeFileSync(markdown, formatResults(saved));
  return [json, markdown].map(url => fileURLToPath(url));
}

function formatResults(saved: Saved): string {
  const machines = new Map(Object.values(saved).map(({ machine }) => [JSON.stringify(machine), machine]));
  const described = [...machines.values()].map(machine =>
    Object.entries(machine)
      .map(([what, value]) => `* ${what}: ${value}`)
      .join('\n'),
  );
  const parts = Object.entries(saved).map(
    ([part, { takenAt, sallyport, section }]) =>
      `${formatSection(section)}\n\n_\`${part}\`, ${takenAt}, sallyport ${sallyport}_`,
  );
  return `${['# Results', ...described, ...parts].join('\n\n')}\n`;
}
