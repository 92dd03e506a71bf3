import { describe, expect, it } from 'vitest';
import type { Readiness, ReadinessVerdict, SourceReadiness } from '../../src/observe/readiness.ts';
import { obstaclesToEnforcing } from '../../src/observe/readiness-obstacles.ts';
import { READINESS } from '../admin/support.ts';

function source(name: string, verdict: ReadinessVerdict, reasons: readonly string[] = []): SourceReadiness {
  return {
    source: name,
    verdict,
    reasons,
    addresses: 1,
    sites: 1,
    flows: 1,
    firstSeenMs: 0,
    lastSeenMs: 0,
    daysWatched: 1,
    hasWeekend: true,
    hasMonthEnd: true,
    hoursSinceNewSite: 1,
    drops: { flows: 0, sites: 0, top: [] },
    ech: 0,
    mismatches: 0,
  };
}

const ready = source('build', 'ready');
const early = source('legacy', 'not ready', ['watched for 1.0 days of 14', 'no weekend was watched']);
const silent = source('spare', 'no traffic');

describe('what speaks against enforcing', () => {
  it.each<[string, Partial<Readiness>, string | null, string[]]>([
    ['nothing, when all are ready', { verdict: 'ready', sources: [ready] }, null, []],
    ['nothing, when one has no traffic', { verdict: 'ready', sources: [ready, silent] }, null, []],
    [
      'each reason of each source',
      { verdict: 'not ready', sources: [ready, early] },
      null,
      ['legacy: watched for 1.0 days of 14', 'legacy: no weekend was watched'],
    ],
    ['nothing for a group that is ready', { verdict: 'not ready', sources: [ready, early] }, 'build', []],
    [
      'the reasons of that group',
      { verdict: 'not ready', sources: [ready, early] },
      'legacy',
      ['legacy: watched for 1.0 days of 14', 'legacy: no weekend was watched'],
    ],
    [
      'what holds for all, for a group too',
      { verdict: 'not ready', reasons: ['the table of sites was full'], sources: [ready] },
      'build',
      ['the table of sites was full'],
    ],
    ['no traffic at all', { verdict: 'no traffic', sources: [silent] }, null, ['no traffic was seen']],
    ['no source at all', { verdict: 'no traffic', sources: [] }, null, ['no traffic was seen']],
    [
      'no traffic of that group',
      { verdict: 'ready', sources: [ready, silent] },
      'spare',
      ['spare: no traffic was seen'],
    ],
    [
      'a group that was not seen',
      { verdict: 'ready', sources: [ready] },
      'new',
      ['new: no traffic was seen'],
    ],
  ])('%s', (_, readiness, group, expected) => {
    expect(obstaclesToEnforcing({ ...READINESS, ...readiness }, group)).toEqual(expected);
  });
});
