import { escapeValue } from '../observe/escape.ts';
import { isoTime } from '../observe/iso-time.ts';
import type { Change, ChangeKind, FlowGroup, ReplayReport } from '../policy/replay.ts';
import type { Verdict } from '../policy/replay-judge.ts';

/** So many groups of a kind are shown unless all are asked for. */
const SHOWN_GROUPS = 30;
const HEADINGS: Readonly<Record<ChangeKind, string>> = {
  lost: 'ALLOWED, WOULD BE DENIED',
  gained: 'not allowed, would be allowed',
  other: 'denied, would be denied for another reason',
};

/** The text of `replay`: the changes by kind, then all that enforcing would drop, then the sums. */
export function formatReplay(
  report: ReplayReport,
  { policy, showsAll }: { readonly policy: string; readonly showsAll: boolean },
): string {
  const { changes, enforceWouldDrop, notJudged } = report;
  const limit = showsAll ? Number.POSITIVE_INFINITY : SHOWN_GROUPS;
  const counts = { lost: report.lost, gained: report.gained, other: report.changedOtherwise };
  const lines: string[] = [];
  for (const kind of ['lost', 'gained', 'other'] as const) {
    const groups = changes.filter(change => change.kind === kind);
    if (groups.length > 0)
      lines.push(...section(`${HEADINGS[kind]}, ${flowCount(counts[kind])}`, groups, limit, describeChange));
  }
  if (enforceWouldDrop.groups.length > 0) {
    const heading = `all that mode: enforce would drop, ${flowCount(enforceWouldDrop.flows)}`;
    lines.push(...section(heading, enforceWouldDrop.groups, limit, group => describeVerdict(group.verdict)));
  }
  if (report.notListed > 0)
    lines.push(`${flowCount(report.notListed)} counted but not listed: there are too many groups`, '');
  if (notJudged.hostname > 0)
    lines.push(`not judged, for the hostname is none: ${flowCount(notJudged.hostname)}`);
  if (notJudged.source > 0)
    lines.push(`not judged, for the source is no address: ${flowCount(notJudged.source)}`);
  lines.push(
    `${policy}: of ${flowCount(report.flows)} ${report.unchanged} keep their verdict, ${report.lost} would be lost, ` +
      `${report.gained} gained, ${report.changedOtherwise} denied for another reason`,
  );
  return lines.map(line => `${line}\n`).join('');
}

function section<G extends FlowGroup>(
  heading: string,
  groups: readonly G[],
  limit: number,
  describe: (group: G) => string,
): string[] {
  const shown = groups.slice(0, limit);
  const width = Math.max(...shown.map(group => site(group).length));
  const lines = shown.map(
    group => `  ${site(group).padEnd(width)}  ${describe(group)}  ${describeSeen(group)}`,
  );
  const more = groups.length - shown.length;
  return [`${heading}:`, ...lines, ...(more > 0 ? [`  … and ${more} more (--all shows them)`] : []), ''];
}

function describeChange({ before, verdict }: Change): string {
  return `${describeVerdict(before)} -> ${describeVerdict(verdict)}`;
}

function describeVerdict({ state, reason, rule }: Verdict): string {
  const by = rule === null ? '' : ` by ${shown(rule)}`;
  return reason === null ? `${state}${by}` : `${state} (${shown(reason)})${by}`;
}

function describeSeen({ flows, sources, someSources, groups, lastSeenMs }: FlowGroup): string {
  const more = sources > someSources.length ? ` and ${sources - someSources.length} more` : '';
  const inGroups = groups.length === 0 ? '' : ` in ${groups.join(', ')}`;
  const last = lastSeenMs === null ? '' : `, last ${isoTime(lastSeenMs)}`;
  return `${flowCount(flows)} from ${someSources.map(shown).join(', ')}${more}${inGroups}${last}`;
}

function site({ hostname, destination, port }: FlowGroup): string {
  return hostname === null ? `no hostname, to ${shown(destination)}:${port}` : `${hostname}:${port}`;
}

function flowCount(flows: number): string {
  return `${flows} ${flows === 1 ? 'flow' : 'flows'}`;
}

/** A text of the log, so that it can neither break the line nor move the cursor. */
function shown(text: string | null): string {
  return escapeValue(text);
}
