import { EditFault, type ModeEdit, type PlannedEdits } from './policy-edit.ts';
import type { PolicyFile } from './policy-file.ts';
import { parseDate } from './scalars.ts';
import { didYouMean } from './suggest.ts';
import type { YamlEdit } from './yaml-splices.ts';

/** The edits that put the policy, or one group of sources, into a mode. Throws EditFault. */
export function changeMode(files: readonly PolicyFile[], edit: ModeEdit, nowMs: number): PlannedEdits {
  return edit.source === null
    ? changePolicyMode(files, edit, nowMs)
    : changeGroupMode(files, edit.source, edit);
}

function changePolicyMode(
  files: readonly PolicyFile[],
  { mode, until }: ModeEdit,
  nowMs: number,
): PlannedEdits {
  if (until !== null) checkUntil(mode, until, nowMs);
  const edits = new Map<string, YamlEdit[]>(files.map(({ file }) => [file, []]));
  const saying = files.filter(file => says(file, 'mode'));
  // A policy that says no mode is enforced.
  const changing = saying.length === 0 && mode === 'observe' ? files.slice(0, 1) : saying;
  for (const { file, source } of changing) {
    if (rawValue(source.value, 'mode') === mode) continue;
    edits.get(file)?.push({ kind: 'set', path: ['mode'], value: mode, after: 'version' });
  }
  const dated = files.filter(file => says(file, 'observeUntil'));
  for (const { file, source, input } of until !== null && dated.length === 0 ? changing.slice(0, 1) : dated) {
    const isOver = mode === 'enforce' || (input.observeUntil ?? nowMs) <= nowMs;
    if (until !== null && rawValue(source.value, 'observeUntil') !== until) {
      edits.get(file)?.push({ kind: 'set', path: ['observeUntil'], value: until, after: 'mode' });
    } else if (until === null && isOver) {
      // Left behind it would mean nothing, or enforce at once.
      edits.get(file)?.push({ kind: 'unset', path: ['observeUntil'] });
    }
  }
  return finish(edits, `mode is ${mode} already`);
}

function changeGroupMode(
  files: readonly PolicyFile[],
  group: string,
  { mode, until }: ModeEdit,
): PlannedEdits {
  if (until !== null) throw new EditFault('observeUntil is for the whole policy: leave out the group');
  const home = files.find(({ input }) => Object.hasOwn(input.sources, group));
  if (home === undefined) {
    const known = files.flatMap(({ input }) => Object.keys(input.sources));
    const fix = known.length === 0 ? 'the policy has no sources' : didYouMean(group, known);
    throw new EditFault(`no group of sources is named ${JSON.stringify(group)} (${fix})`);
  }
  const isSame = home.input.sources[group]?.mode === mode;
  const edit: YamlEdit = { kind: 'set', path: ['sources', group, 'mode'], value: mode };
  return finish(new Map([[home.file, isSame ? [] : [edit]]]), `mode of ${group} is ${mode} already`);
}

function checkUntil(mode: string, until: string, nowMs: number): void {
  if (mode === 'enforce') throw new EditFault('until is for observe: enforce has no end');
  const date = parseDate(until, 'start');
  if (!date.ok) throw new EditFault(`until: ${date.message} (${date.fix})`);
  if (date.value <= nowMs)
    throw new EditFault(`until: ${until} has passed: the policy would be enforced at once`);
}

function finish(edits: ReadonlyMap<string, readonly YamlEdit[]>, note: string): PlannedEdits {
  const isNothing = [...edits.values()].every(list => list.length === 0);
  return { edits, notes: isNothing ? [note] : [] };
}

function says({ source }: PolicyFile, key: string): boolean {
  return rawValue(source.value, key) !== undefined;
}

function rawValue(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;
}
