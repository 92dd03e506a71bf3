import { parsePattern, patternMatches } from './pattern.ts';
import { readS3Host, s3Hosts } from './s3.ts';
import { accessPointFault, bucketFault, isAskedByPath } from './s3-names.ts';
import type { Unit } from './suggest-units.ts';

/** Buckets and access points that were seen in the same regions. */
export interface S3Suggestion {
  readonly buckets: readonly string[];
  readonly accessPoints: readonly string[];
  /** Never empty. */
  readonly regions: readonly string[];
  readonly units: readonly Unit[];
}

interface Named {
  readonly kind: 'buckets' | 'accessPoints';
  readonly name: string;
  readonly regions: string[];
  readonly units: Unit[];
}

/** The buckets and access points that some hosts are of, as `findBuckets` takes them. */
export function bucketsOf(hosts: Iterable<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const host of hosts) {
    const { bucket, accessPoint } = readS3Host(host) ?? { bucket: null, accessPoint: null };
    if (bucket !== null) found.add(bucket);
    if (accessPoint !== null) found.add(accessPoint);
  }
  return found;
}

/**
 * Reads buckets and access points off hosts of the same sources, each by its name and the regions it was seen in, and
 * never a pattern of names. What remains: other hosts, those where the path names the bucket, those on other ports than
 * S3's, those that the `s3` key of a rule would not open, and those of `denied`, for the key opens every form of them.
 */
export function findBuckets(
  units: readonly Unit[],
  denied: ReadonlySet<string>,
): { readonly s3: readonly S3Suggestion[]; readonly rest: readonly Unit[] } {
  const named = new Map<string, Named>();
  const rest: Unit[] = [];
  for (const unit of units) {
    const reading = readUnit(unit);
    if (reading === null || denied.has(reading.name)) {
      rest.push(unit);
      continue;
    }
    const key = `${reading.kind} ${reading.name}`;
    const known = named.get(key) ?? { ...reading, regions: [], units: [] };
    named.set(key, known);
    known.units.push(unit);
    if (reading.region !== null && !known.regions.includes(reading.region))
      known.regions.push(reading.region);
  }
  const byRegions = new Map<string, Named[]>();
  for (const item of named.values()) {
    item.regions.sort();
    // A global host alone does not tell the region, or the s3 key does not come to what was seen.
    if (!opensAll(item)) rest.push(...item.units);
    else byRegions.set(item.regions.join(), [...(byRegions.get(item.regions.join()) ?? []), item]);
  }
  const s3 = [...byRegions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, items]) => suggestionOf(items));
  return { s3, rest };
}

function suggestionOf(items: readonly Named[]): S3Suggestion {
  const names = (kind: Named['kind']) =>
    items
      .filter(item => item.kind === kind)
      .map(({ name }) => name)
      .sort();
  return {
    buckets: names('buckets'),
    accessPoints: names('accessPoints'),
    regions: items[0]?.regions ?? [],
    units: items.flatMap(item => item.units),
  };
}

function readUnit({
  host,
  ports,
}: Unit): (Pick<Named, 'kind' | 'name'> & { readonly region: string | null }) | null {
  const reading = readS3Host(host);
  if (reading === null || ports.some(port => port !== reading.port)) return null;
  const { bucket, accessPoint, region } = reading;
  if (bucket !== null && bucketFault(bucket) === null && !isAskedByPath(bucket))
    return { kind: 'buckets', name: bucket, region };
  if (accessPoint !== null && accessPointFault(accessPoint) === null)
    return { kind: 'accessPoints', name: accessPoint, region };
  return null;
}

function opensAll({ kind, name, regions, units }: Named): boolean {
  if (regions.length === 0) return false;
  const opened = s3Hosts({
    buckets: kind === 'buckets' ? [name] : [],
    accessPoints: kind === 'accessPoints' ? [name] : [],
    regions,
    allowPathStyle: false,
  });
  return units.every(({ host, ports }) =>
    ports.every(port => opened.some(open => open.port === port && matches(open.host, host))),
  );
}

function matches(text: string, host: string): boolean {
  const parsed = parsePattern(text);
  return parsed.ok && patternMatches(parsed.pattern, host);
}
