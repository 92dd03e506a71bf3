import { z } from 'zod';
import { parseMoment } from '../config/moment.ts';
import { type ScalarResult, scalar } from '../config/scalars.ts';
import { SITE_VERDICTS } from '../observe/site-query.ts';
import type { BlockSet, SourceGroups } from '../policy/source-groups.ts';
import { countText } from './query.ts';

/** The parameters of `GET /api/v1/sites`. Moments are read as from `nowMs`. */
export function siteParams(groups: SourceGroups, nowMs: number) {
  return z.strictObject({
    since: momentText(nowMs).optional(),
    newSince: momentText(nowMs).optional(),
    source: sourceText(groups).optional(),
    verdict: z.enum(SITE_VERDICTS).optional(),
    by: z.literal('source').optional(),
    limit: countText(1).optional(),
  });
}

/** The parameters of `GET /api/v1/trend`. */
export function trendParams(groups: SourceGroups, nowMs: number) {
  return z.strictObject({
    step: z.enum(['minute', 'hour']).default('hour'),
    since: momentText(nowMs).optional(),
    source: sourceText(groups).optional(),
    host: z.string().min(1).optional(),
    port: countText(1).optional(),
  });
}

/** `7d`, or a date, to epoch milliseconds. */
function momentText(nowMs: number) {
  return scalar('a moment', ['7d'], text => parseMoment(text, nowMs));
}

/** An address, a block or the name of a source group, to the addresses it stands for. */
function sourceText(groups: SourceGroups) {
  return scalar('a source', ['10.12.4.0/24'], text => parseSource(text, groups));
}

function parseSource(text: string, groups: SourceGroups): ScalarResult<BlockSet> {
  const value = groups.named(text);
  if (value !== null) return { ok: true, value };
  const known = groups.names.length === 0 ? '' : `, or a group of the policy: ${groups.names.join(', ')}`;
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no address, block or source group`,
    fix: `write 10.12.4.21 or 10.12.4.0/24${known}`,
  };
}
