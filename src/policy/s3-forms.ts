import { partitionFor } from './aws.ts';

/** The ways in which a hostname asks for S3, by the names of the AWS documentation. */
export type S3FormName =
  | 'virtual-hosted'
  | 'legacy-global'
  | 'legacy-dash'
  | 'dual-stack'
  | 'fips'
  | 'fips-dual-stack'
  | 'accelerate'
  | 'accelerate-dual-stack'
  | 'private-link'
  | 'website'
  | 'express'
  | 'access-point'
  | 'object-lambda'
  | 'multi-region'
  | 'path-style';

/** What kind of name stands first in a host. An alias is an access point's, and stands where a bucket would. */
export type S3NameKind = 'bucket' | 'alias' | 'directory' | 'access-point' | 'multi-region';

export interface S3Form {
  readonly form: S3FormName;
  /** Whose names stand before the tail; none: the path names the bucket. */
  readonly names: readonly S3NameKind[];
  /** `{r}` region, `{dns}` suffix of the partition, `{az}` zone of a directory bucket, `{vpce}` an interface endpoint. */
  readonly tail: string;
  readonly port: 443 | 80;
  /** Whether a region has it. */
  readonly isIn: (region: string) => boolean;
}

const everywhere = () => true;
const inAws = (region: string) => partitionFor(region).name === 'aws';
const inVirginia = (region: string) => region === 'us-east-1';
const outsideChina = (region: string) => partitionFor(region).name !== 'aws-cn';

const BUCKET: readonly S3NameKind[] = ['bucket'];
const BUCKET_OR_ALIAS: readonly S3NameKind[] = ['bucket', 'alias'];
const DIRECTORY: readonly S3NameKind[] = ['directory'];
const ACCESS_POINT: readonly S3NameKind[] = ['access-point'];

/**
 * Every form, once, for both directions (botocore's S3 endpoint rule set; legacy dash, website and PrivateLink: the S3
 * user guide). The global forms are those of one partition: a bucket of that name in another may be someone else's.
 */
export const S3_FORMS: readonly S3Form[] = [
  row('virtual-hosted', BUCKET_OR_ALIAS, 's3.{r}.{dns}'),
  row('legacy-global', BUCKET, 's3.{dns}', inAws),
  row('legacy-global', BUCKET, 's3-external-1.{dns}', inVirginia),
  row('legacy-dash', BUCKET, 's3-{r}.{dns}'),
  row('dual-stack', BUCKET_OR_ALIAS, 's3.dualstack.{r}.{dns}'),
  row('fips', BUCKET_OR_ALIAS, 's3-fips.{r}.{dns}', outsideChina),
  row('fips-dual-stack', BUCKET_OR_ALIAS, 's3-fips.dualstack.{r}.{dns}', outsideChina),
  row('accelerate', BUCKET, 's3-accelerate.{dns}', inAws),
  row('accelerate-dual-stack', BUCKET, 's3-accelerate.dualstack.{dns}', inAws),
  row('private-link', BUCKET_OR_ALIAS, 'bucket.{vpce}.s3.{r}.vpce.{dns}'),
  row('website', BUCKET, 's3-website-{r}.{dns}', everywhere, 80),
  row('website', BUCKET, 's3-website.{r}.{dns}', everywhere, 80),
  row('express', DIRECTORY, 's3express-{az}.{r}.{dns}'),
  row('express', DIRECTORY, 's3express-{az}.dualstack.{r}.{dns}'),
  row('express', DIRECTORY, 's3express-fips-{az}.{r}.{dns}', outsideChina),
  row('express', DIRECTORY, 's3express-fips-{az}.dualstack.{r}.{dns}', outsideChina),
  row('access-point', ACCESS_POINT, 's3-accesspoint.{r}.{dns}'),
  row('access-point', ACCESS_POINT, 's3-accesspoint.dualstack.{r}.{dns}'),
  row('access-point', ACCESS_POINT, 's3-accesspoint-fips.{r}.{dns}', outsideChina),
  row('access-point', ACCESS_POINT, 's3-accesspoint-fips.dualstack.{r}.{dns}', outsideChina),
  row('private-link', ACCESS_POINT, 'accesspoint.{vpce}.s3.{r}.vpce.{dns}'),
  row('object-lambda', ACCESS_POINT, 's3-object-lambda.{r}.{dns}'),
  row('object-lambda', ACCESS_POINT, 's3-object-lambda-fips.{r}.{dns}', outsideChina),
  row('multi-region', ['multi-region'], 'accesspoint.s3-global.{dns}', inAws),
  row('path-style', [], 's3.{r}.{dns}'),
  row('path-style', [], 's3-{r}.{dns}'),
  row('path-style', [], 's3.dualstack.{r}.{dns}'),
  row('path-style', [], 's3-fips.{r}.{dns}', outsideChina),
  row('path-style', [], 's3-fips.dualstack.{r}.{dns}', outsideChina),
  row('path-style', [], 's3.{dns}', inAws),
  row('path-style', [], 's3-external-1.{dns}', inVirginia),
  row('path-style', [], 'bucket.{vpce}.s3.{r}.vpce.{dns}'),
];

function row(
  form: S3FormName,
  names: readonly S3NameKind[],
  tail: string,
  isIn: S3Form['isIn'] = everywhere,
  port: S3Form['port'] = 443,
): S3Form {
  return { form, names, tail, port, isIn };
}
