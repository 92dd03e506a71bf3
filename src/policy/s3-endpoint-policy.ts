import { partitionFor } from './aws.ts';
import type { Rule } from './rules.ts';
import { readS3Host, type S3Reading } from './s3.ts';

/** A policy document for a VPC gateway endpoint of S3, as AWS takes it. */
export interface EndpointPolicy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly EndpointStatement[];
}

export interface EndpointStatement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: '*';
  readonly Action: string;
  /** Sorted, without duplicates, never empty. */
  readonly Resource: readonly string[];
}

export interface EndpointPolicyResult {
  /** Without statements when no rule opens a bucket. */
  readonly document: EndpointPolicy;
  /** What rules open and the document cannot say, each once. */
  readonly notes: readonly string[];
}

/**
 * The endpoint policy that opens the buckets and access points that rules open. What presets open is read only: their
 * buckets belong to others. `layerRegions`: where the images of ECR are pulled from, whatever the rules say. Sources and
 * ports are nothing that such a policy knows.
 */
export function s3EndpointPolicy(
  rules: readonly Rule[],
  { nowMs, layerRegions = [] }: { readonly nowMs: number; readonly layerRegions?: readonly string[] },
): EndpointPolicyResult {
  const allowed = new Set<string>();
  const read = new Set<string>();
  const denied = new Set<string>();
  const notes = new Set<string>();
  for (const rule of rules) {
    if (rule.protocol === 'tcp' || (rule.untilMs !== null && rule.untilMs <= nowMs)) continue;
    for (const [i, { text }] of rule.hosts.entries()) {
      const reading = readS3Host(text);
      if (reading === null) continue;
      const resource = resourceOf(reading);
      const isOfPreset = (rule.hostPositions[i]?.origin?.preset ?? null) !== null;
      if (!resource.ok) notes.add(`rule ${rule.name}: ${resource.note}`);
      else if (rule.action === 'allow' && isOfPreset) read.add(resource.objects);
      else {
        if (rule.action === 'allow' && isLoose(reading)) notes.add(`rule ${rule.name}: ${loosely(reading)}`);
        const set = rule.action === 'deny' ? denied : allowed;
        set.add(resource.bucket).add(resource.objects);
      }
    }
  }
  for (const region of layerRegions) {
    read.add(`arn:${partitionFor(region).name}:s3:::prod-${region}-starport-layer-bucket/*`);
  }
  const statements = [
    statementOf('ApprovedBuckets', 'Allow', 's3:*', allowed),
    statementOf('ReadPresetBuckets', 'Allow', 's3:GetObject', read),
    statementOf('DeniedBuckets', 'Deny', 's3:*', denied),
  ];
  return {
    document: { Version: '2012-10-17', Statement: statements.flat() },
    notes: [...notes],
  };
}

type Resource =
  | { readonly ok: true; readonly bucket: string; readonly objects: string }
  | { readonly ok: false; readonly note: string };

function resourceOf({ form, bucket, accessPoint, region, partition }: S3Reading): Resource {
  if (form === 'express') return left('directory buckets have a gateway endpoint of their own');
  if (bucket !== null) {
    if (!/[a-z0-9]/.test(bucket)) return left(`every bucket (${bucket}) is left out: name buckets instead`);
    // Here a star is one character or more, in IAM none or more.
    const arn = `arn:${partition.name}:s3:::${bucket.replaceAll('*', '?*')}`;
    return { ok: true, bucket: arn, objects: `${arn}/*` };
  }
  const parts = /^(.+)-(\d{12})$/.exec(accessPoint ?? '');
  if (accessPoint === null)
    return left('path-style hosts open every bucket and are left out: name buckets instead');
  if (parts === null || region === null)
    return left(`the alias ${accessPoint} is left out: an endpoint policy wants the ARN of its access point`);
  const [, name = '', account = ''] = parts;
  const service = form === 'object-lambda' ? 's3-object-lambda' : 's3';
  const arn = `arn:${partition.name}:${service}:${region}:${account}:accesspoint/${name.replaceAll('*', '?*')}`;
  return { ok: true, bucket: arn, objects: `${arn}/object/*` };
}

/** IAM's star also stands for a slash, so that what follows it may lie in the key of an object. */
function isLoose({ bucket }: S3Reading): boolean {
  return bucket !== null && /\*.*[^*]$/.test(bucket);
}

function loosely({ bucket }: S3Reading): string {
  const text = bucket ?? '';
  const [before, after] = [text.slice(0, text.indexOf('*')), text.slice(text.lastIndexOf('*') + 1)];
  return `${text} opens more there: objects in buckets named ${before}…, if their keys hold ${after} (IAM's * is also /; name the buckets to be exact)`;
}

function left(note: string): Resource {
  return { ok: false, note };
}

function statementOf(
  Sid: string,
  Effect: EndpointStatement['Effect'],
  Action: string,
  resources: ReadonlySet<string>,
): EndpointStatement[] {
  if (resources.size === 0) return [];
  return [{ Sid, Effect, Principal: '*', Action, Resource: [...resources].sort() }];
}
