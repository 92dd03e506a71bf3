/** A separate world of AWS accounts and names, and how its hosts end (botocore `partitions.json`). */
export interface Partition {
  readonly name: string;
  /** `amazonaws.com`. */
  readonly dnsSuffix: string;
  /** What stands after `api.` and `on.` in dual-stack hosts: `aws`; null where there are none. */
  readonly dualStackSuffix: string | null;
}

interface Row extends Partition {
  readonly regions: RegExp;
}

const AWS: Row = {
  name: 'aws',
  regions: /^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+$/,
  dnsSuffix: 'amazonaws.com',
  dualStackSuffix: 'aws',
};

const ROWS: readonly Row[] = [
  AWS,
  {
    name: 'aws-cn',
    regions: /^cn-[a-z]+-\d+$/,
    dnsSuffix: 'amazonaws.com.cn',
    dualStackSuffix: 'amazonwebservices.com.cn',
  },
  {
    name: 'aws-us-gov',
    regions: /^us-gov-[a-z]+-\d+$/,
    dnsSuffix: 'amazonaws.com',
    dualStackSuffix: 'aws',
  },
  {
    name: 'aws-eusc',
    regions: /^eusc-[a-z]+-[a-z]+-\d+$/,
    dnsSuffix: 'amazonaws.eu',
    dualStackSuffix: 'amazonwebservices.eu',
  },
  { name: 'aws-iso', regions: /^us-iso-[a-z]+-\d+$/, dnsSuffix: 'c2s.ic.gov', dualStackSuffix: null },
  { name: 'aws-iso-b', regions: /^us-isob-[a-z]+-\d+$/, dnsSuffix: 'sc2s.sgov.gov', dualStackSuffix: null },
  { name: 'aws-iso-e', regions: /^eu-isoe-[a-z]+-\d+$/, dnsSuffix: 'cloud.adc-e.uk', dualStackSuffix: null },
  { name: 'aws-iso-f', regions: /^us-isof-[a-z]+-\d+$/, dnsSuffix: 'csp.hci.ic.gov', dualStackSuffix: null },
];

/** What a region looks like, for use inside a regular expression. */
export const REGION_SOURCE = String.raw`[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}`;

export const PARTITIONS: readonly Partition[] = ROWS;

/** The partition that a region lies in, by the region's name; null for a region of no known form. */
export function partitionOf(region: string): Partition | null {
  return ROWS.find(row => row.regions.test(region)) ?? null;
}

/** The partition of a region; for one of no known form the partition named `otherwise`, or `aws`. */
export function partitionFor(region: string, otherwise?: string): Partition {
  return partitionOf(region) ?? ROWS.find(row => row.name === otherwise) ?? AWS;
}
