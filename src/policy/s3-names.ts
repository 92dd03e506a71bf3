import type { S3NameKind } from './s3-forms.ts';

/** The zone of a directory bucket or of its access point, which their names carry: `base--use1-az4--x-s3`. */
const ZONED = /--([a-z0-9*]+-az[0-9*]+)--xa?-s3$/;
const ALIAS = /(?:-s3alias|--ol-s3)$/;
const MULTI_REGION = /^[a-z0-9]+\.mrap$/;
const ACCESS_POINT = /^[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?-\d{12}$/;

/** What is wrong with a name in a rule, and how to write it. */
export interface S3NameFault {
  readonly message: string;
  readonly fix: string;
}

/** `use1-az4`; null for a bucket that is in no one zone. */
export function zoneOf(name: string): string | null {
  return ZONED.exec(name)?.[1] ?? null;
}

/** What kind of name an entry of `buckets` is. */
export function bucketKind(name: string): S3NameKind {
  if (ZONED.test(name)) return 'directory';
  return ALIAS.test(name) ? 'alias' : 'bucket';
}

/** What kind of name an entry of `accessPoints` is; null for none. */
export function accessPointKind(name: string): S3NameKind | null {
  if (/--xa-s3$/.test(name) && ZONED.test(name)) return 'directory';
  if (ALIAS.test(name)) return 'alias';
  if (MULTI_REGION.test(name)) return 'multi-region';
  return ACCESS_POINT.test(name) ? 'access-point' : null;
}

/** Whether no hostname shows the bucket as it is: names are lower case, so it would show another. */
export function isHidden(bucket: string): boolean {
  return /[A-Z]/.test(bucket);
}

/** Whether SDKs ask for the bucket by path, over TLS: the wildcard of the certificate is one label, without underscores. */
export function isAskedByPath(bucket: string): boolean {
  return /[A-Z._]/.test(bucket);
}

/** Why a text is no entry of `buckets`; null when it is one. */
export function bucketFault(text: string): S3NameFault | null {
  const arn = /^arn:[\w-]+:s3:::([^/]+)/.exec(text) ?? /^s3:\/\/([^/]+)/.exec(text);
  if (arn !== null)
    return { message: 'a bucket stands here by its bare name', fix: `write ${quoted(arn[1])}` };
  if (!/^[A-Za-z0-9._*-]{1,255}$/.test(text)) {
    const message = `${JSON.stringify(text)} is no bucket name`;
    return { message, fix: 'use lower-case letters, digits, hyphens and *' };
  }
  if (text.includes('**')) return { message: 'two stars in a row', fix: 'write one *' };
  if (!/[A-Za-z0-9]/.test(text)) {
    return { message: `${JSON.stringify(text)} would open every bucket`, fix: 'name the buckets' };
  }
  return null;
}

/** Why a text is no entry of `accessPoints`; null when it is one. */
export function accessPointFault(text: string): S3NameFault | null {
  const arn = /^arn:[\w-]+:s3(?:-object-lambda)?:[\w-]*:(\d{12}):accesspoint[/:]([^/:]+)/.exec(text);
  if (arn !== null) {
    const [, account = '', name = ''] = arn;
    const entry = name.endsWith('.mrap') ? name : `${name}-${account}`;
    return { message: 'an access point stands here as hosts show it', fix: `write ${quoted(entry)}` };
  }
  if (accessPointKind(text) === null || text.includes('**')) {
    return {
      message: `${JSON.stringify(text)} is no access point`,
      fix: 'write NAME-ACCOUNT as in "finance-123456789012", or an alias that ends in -s3alias, --ol-s3, --xa-s3 or .mrap',
    };
  }
  if (/^[*-]+-\d{12}$/.test(text)) {
    return {
      message: `${JSON.stringify(text)} would open every access point of the account`,
      fix: 'name them',
    };
  }
  return null;
}

function quoted(text: string | undefined): string {
  return JSON.stringify(text ?? '');
}
