import { REGION_SOURCE } from '../policy/aws.ts';
import { pathStyleHosts, type S3Host, s3NameHosts } from '../policy/s3.ts';
import type { S3NameKind } from '../policy/s3-forms.ts';
import {
  accessPointFault,
  accessPointKind,
  bucketFault,
  bucketKind,
  isAskedByPath,
  isHidden,
  type S3NameFault,
} from '../policy/s3-names.ts';
import type { DocumentPath } from './diagnostics.ts';
import type { S3Input } from './policy-schema.ts';
import { fixMissing, type PolicyVars } from './policy-vars.ts';

/** What one entry of an `s3` key comes to. */
export interface S3Entry {
  /** Within the rule: `['s3', 'buckets', 0]`. */
  readonly path: DocumentPath;
  readonly hosts: readonly S3Host[];
  readonly errors: readonly S3NameFault[];
  readonly warnings: readonly S3NameFault[];
}

const REGION = new RegExp(`^${REGION_SOURCE}$`);

/** Reads the `s3` key of a rule, entry by entry. */
export function readS3Rule(input: S3Input, vars: PolicyVars): S3Entry[] {
  const { buckets = [], accessPoints = [], allowPathStyle } = input;
  const found = readRegions(input, vars);
  if (!Array.isArray(found)) return [found];
  const regions = found;
  if (buckets.length === 0 && accessPoints.length === 0 && !allowPathStyle) {
    return [failed(['s3'], 'names no bucket', 'add buckets: ["app-artifacts"] or accessPoints')];
  }
  const entries = [
    ...buckets.map((text, i) =>
      readEntry(['s3', 'buckets', i], text, vars, name => readBucket(name, regions, allowPathStyle)),
    ),
    ...accessPoints.map((text, i) =>
      readEntry(['s3', 'accessPoints', i], text, vars, name => readAccessPoint(name, regions)),
    ),
  ];
  if (allowPathStyle) {
    const message = 'opens every S3 bucket: the path names the bucket there';
    const warnings = [{ message, fix: 'leave it out unless a client knows no other way' }];
    entries.push({ path: ['s3', 'allowPathStyle'], hosts: pathStyleHosts(regions), errors: [], warnings });
  }
  return entries;
}

type Read = Pick<S3Entry, 'hosts' | 'errors' | 'warnings'>;

function readEntry(
  path: DocumentPath,
  text: string,
  vars: PolicyVars,
  read: (name: string) => Read,
): S3Entry {
  const expansion = vars.expand(text);
  if (!expansion.ok) return failed(path, expansion.message, expansion.fix);
  const reads = expansion.texts.map(read);
  return {
    path,
    hosts: reads.flatMap(({ hosts }) => hosts),
    errors: reads.flatMap(({ errors }) => errors),
    warnings: reads.flatMap(({ warnings }) => warnings),
  };
}

function readBucket(name: string, regions: readonly string[], allowPathStyle: boolean): Read {
  const fault = bucketFault(name);
  if (fault !== null) return { hosts: [], errors: [fault], warnings: [] };
  // In lower case it would be another bucket.
  const hosts = isHidden(name) ? [] : s3NameHosts(name, bucketKind(name), regions);
  if (!isAskedByPath(name) || allowPathStyle) return { hosts, errors: [], warnings: [] };
  const what = isHidden(name)
    ? 'no hostname shows a bucket name with capitals: clients ask for it by path'
    : 'over TLS, clients ask by path for a bucket name with dots or underscores, not by these hosts';
  const warning = {
    message: what,
    fix: 'use a bucket of letters, digits and hyphens, or say allowPathStyle: true',
  };
  return { hosts, errors: [], warnings: [warning] };
}

function readAccessPoint(name: string, regions: readonly string[]): Read {
  const fault = accessPointFault(name);
  const kind: S3NameKind = accessPointKind(name) ?? 'access-point';
  if (fault !== null) return { hosts: [], errors: [fault], warnings: [] };
  return { hosts: s3NameHosts(name, kind, regions), errors: [], warnings: [] };
}

/** The regions, or what is wrong with them. */
function readRegions({ regions }: S3Input, vars: PolicyVars): string[] | S3Entry {
  if (regions === undefined) {
    vars.use(['region']);
    const known = vars.values.get('region');
    if (known === undefined)
      return failed(['s3'], 'needs regions', `add regions: [us-east-1], or ${fixMissing(['region'])}`);
    return checkRegions(['s3'], known);
  }
  const found: string[] = [];
  for (const [i, text] of regions.entries()) {
    const path = ['s3', 'regions', i];
    const expansion = vars.expand(text);
    if (!expansion.ok) return failed(path, expansion.message, expansion.fix);
    const checked = checkRegions(path, expansion.texts);
    if (!Array.isArray(checked)) return checked;
    found.push(...checked);
  }
  return [...new Set(found)];
}

function checkRegions(path: DocumentPath, regions: readonly string[]): string[] | S3Entry {
  const wrong = regions.find(region => !REGION.test(region));
  if (wrong === undefined) return [...regions];
  return failed(path, `${JSON.stringify(wrong)} is no region`, 'write for example us-east-1');
}

function failed(path: DocumentPath, message: string, fix: string): S3Entry {
  return { path, hosts: [], errors: [{ message, fix }], warnings: [] };
}
