import { PARTITIONS, REGION_SOURCE } from '../policy/aws.ts';
import { patternMatches } from '../policy/pattern.ts';
import { pathStyleHosts, readS3Host } from '../policy/s3.ts';
import type { Diagnostic } from './diagnostics.ts';
import { describeUse, isWritten, type Use, type UseIndex, warnOf } from './rule-uses.ts';

const REGION = new RegExp(REGION_SOURCE);
/** In one region of each partition, for wildcards that name none. */
const SAMPLES = pathStyleHosts(['us-east-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1']);
/** `amazonaws.com`, `com` and the like. */
const ENDINGS = new Set(
  PARTITIONS.flatMap(({ dnsSuffix }) => {
    const labels = dnsSuffix.split('.');
    return labels.map((_, i) => labels.slice(i).join('.'));
  }),
);

/** S3 names a bucket in the hostname only when it is asked virtual-hosted style, and never one with dots over TLS. */
export function findBucketHosts(uses: UseIndex): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [text, list] of uses) {
    if (!mayBeAws(text)) continue;
    const use = list.find(use => use.rule.action === 'allow' && !isOfBucket(use));
    const warning = use === undefined ? null : judge(use);
    if (warning !== null) found.push(warning);
  }
  return found;
}

/** Whether the `s3` key brought it, which tells of what it opens by itself. */
function isOfBucket({ rule, host }: Use): boolean {
  const place = rule.hostPositions[host];
  return !isWritten(place) && place?.origin?.preset == null;
}

function judge(use: Use): Diagnostic | null {
  const { text } = use.pattern;
  const fix = 'name buckets with s3: { buckets: [...] }';
  const which = isWritten(use.rule.hostPositions[use.host]) ? '' : `${describeUse(use)} `;
  const reading = readS3Host(text);
  if (reading?.form === 'path-style')
    return warnOf(use, `${which}opens every S3 bucket: the path names the bucket here`, fix);
  if (
    reading?.bucket?.includes('.') === true &&
    !use.pattern.deep &&
    reading.port === 443 &&
    !text.startsWith('*.')
  ) {
    const message = 'a bucket name with dots is asked for by path, not by this host';
    return warnOf(use, message, 'use a bucket without dots');
  }
  if (reading !== null && !use.pattern.deep) return null;
  const [region] = REGION.exec(text) ?? [];
  const opened = [...(region === undefined ? [] : pathStyleHosts([region])), ...SAMPLES]
    .map(({ host }) => host.replace('*', '0'))
    .find(host => patternMatches(use.pattern, host));
  if (opened === undefined) return null;
  return warnOf(
    use,
    `${which}matches ${opened} as well, where the path names the bucket: it opens every S3 bucket`,
    fix,
  );
}

/** A cheap first look: most patterns are nothing of AWS's. */
function mayBeAws(text: string): boolean {
  if (text.includes('amazonaws.')) return true;
  const star = text.lastIndexOf('*');
  return star >= 0 && ENDINGS.has(text.slice(text.indexOf('.', star) + 1));
}
