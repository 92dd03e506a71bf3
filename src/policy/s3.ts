import { PARTITIONS, type Partition, partitionFor, partitionOf, REGION_SOURCE } from './aws.ts';
import { S3_FORMS, type S3Form, type S3FormName, type S3NameKind } from './s3-forms.ts';
import { accessPointKind, bucketKind, zoneOf } from './s3-names.ts';

/** What the `s3` key of a rule opens. */
export interface S3Grant {
  /** Bucket names, in which `*` stands for one or more characters; directory buckets and aliases too. */
  readonly buckets: readonly string[];
  /** `NAME-ACCOUNT`, an alias that ends in `-s3alias`, `--ol-s3` or `--xa-s3`, or `ALIAS.mrap`. */
  readonly accessPoints: readonly string[];
  readonly regions: readonly string[];
  /** Opens the hosts where the path names the bucket, and with them every bucket. */
  readonly allowPathStyle: boolean;
}

/** A host pattern that a grant opens, and on which port: websites speak plain HTTP. */
export interface S3Host {
  readonly host: string;
  readonly port: 443 | 80;
  readonly form: S3FormName;
}

/** What a hostname says about the S3 request that it carries. Both names are null where the path says it. */
export interface S3Reading {
  readonly form: S3FormName;
  /** As `buckets` takes it. */
  readonly bucket: string | null;
  /** As `accessPoints` takes it. */
  readonly accessPoint: string | null;
  /** Null for the global forms. */
  readonly region: string | null;
  readonly partition: Partition;
  readonly port: 443 | 80;
}

/** The host patterns that show one bucket or access point. */
export function s3NameHosts(name: string, kind: S3NameKind, regions: readonly string[]): S3Host[] {
  return hostsOf(
    S3_FORMS.filter(form => form.names.includes(kind)),
    regions,
    name,
  );
}

/** The hosts where the path names the bucket. */
export function pathStyleHosts(regions: readonly string[]): S3Host[] {
  return hostsOf(
    S3_FORMS.filter(form => form.form === 'path-style'),
    regions,
    null,
  );
}

/** All host patterns that a grant opens. Its names must be faultless (see `bucketFault`, `accessPointFault`). */
export function s3Hosts({ buckets, accessPoints, regions, allowPathStyle }: S3Grant): S3Host[] {
  return [
    ...buckets.flatMap(name => s3NameHosts(name, bucketKind(name), regions)),
    ...accessPoints.flatMap(name => s3NameHosts(name, accessPointKind(name) ?? 'access-point', regions)),
    ...(allowPathStyle ? pathStyleHosts(regions) : []),
  ];
}

function hostsOf(forms: readonly S3Form[], regions: readonly string[], name: string | null): S3Host[] {
  const hosts = new Map<string, S3Host>();
  for (const region of regions) {
    for (const { form, tail, port, isIn } of forms) {
      if (!isIn(region)) continue;
      const end = tail
        .replace('{r}', region)
        .replace('{az}', zoneOf(name ?? '') ?? '')
        .replace('{vpce}', 'vpce-*')
        .replace('{dns}', partitionFor(region).dnsSuffix);
      const host = name === null ? end : `${name}.${end}`;
      hosts.set(host, { host, port, form });
    }
  }
  return [...hosts.values()];
}

/** What stands before the tail, by the kinds of name that may. A pattern's `*` is part of a name. */
const NAME_SOURCES: Readonly<Record<S3NameKind, string>> = {
  bucket: '[a-z0-9_*][a-z0-9._*-]*',
  alias: '[a-z0-9*-]+',
  directory: '[a-z0-9*-]+--xa?-s3',
  'access-point': String.raw`[a-z0-9*-]+-\d{12}`,
  'multi-region': String.raw`[a-z0-9]+\.mrap`,
};

const READERS: readonly { readonly form: S3Form; readonly source: RegExp }[] = S3_FORMS.map(form => {
  const kind = form.names[0];
  const name = kind === undefined ? '' : `(?<name>${NAME_SOURCES[kind]})\\.`;
  const suffixes = [...new Set(PARTITIONS.map(({ dnsSuffix }) => dnsSuffix))];
  const tail = form.tail
    .replaceAll('.', '\\.')
    .replace('{r}', `(?<region>${REGION_SOURCE})`)
    .replace('{az}', '[a-z0-9*-]+')
    .replace('{vpce}', 'vpce-[a-z0-9*-]+')
    .replace('{dns}', `(?<dns>${suffixes.map(suffix => suffix.replaceAll('.', '\\.')).join('|')})`);
  return { form, source: new RegExp(`^${name}${tail}$`) };
});

/** Reads a hostname, or the text of a host pattern, in lower case. Null when it is none of S3's data hosts. */
export function readS3Host(hostname: string): S3Reading | null {
  if (!hostname.includes('s3')) return null;
  for (const { form, source } of READERS) {
    const { name, region, dns } = source.exec(hostname)?.groups ?? {};
    if (dns === undefined) continue;
    const partition = region === undefined ? partitionOfSuffix(dns) : partitionOf(region);
    if (partition === null || partition.dnsSuffix !== dns) continue;
    const isBucket = name !== undefined && form.names.includes('bucket') && bucketKind(name) !== 'alias';
    const isZoned = name !== undefined && form.names.includes('directory') && accessPointKind(name) === null;
    const bucket = isBucket || isZoned ? name : null;
    return {
      form: form.form,
      bucket,
      accessPoint: bucket === null ? (name ?? null) : null,
      region: region ?? null,
      partition,
      port: form.port,
    };
  }
  return null;
}

function partitionOfSuffix(dnsSuffix: string): Partition | null {
  return PARTITIONS.find(partition => partition.dnsSuffix === dnsSuffix) ?? null;
}
