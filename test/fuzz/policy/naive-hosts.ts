import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { checkoutUrl } from '../../support/checkout.ts';
import type { PolicyDocument, RuleDocument } from './document.ts';

/** One pattern of a rule, as it is written once variables are filled in. */
export interface NaiveHost {
  readonly pattern: string;
  readonly ports: readonly number[];
  readonly allowPrivate: boolean;
}

/** Every hostname that shows a bucket of its own in us-east-1 and eu-west-1, from the S3 user guide, one by one. */
const BUCKET_HOSTS: readonly (readonly [tail: string, port: number, onlyIn?: string])[] = [
  ['s3.{r}.amazonaws.com', 443],
  ['s3.amazonaws.com', 443],
  ['s3-external-1.amazonaws.com', 443, 'us-east-1'],
  ['s3-{r}.amazonaws.com', 443],
  ['s3.dualstack.{r}.amazonaws.com', 443],
  ['s3-fips.{r}.amazonaws.com', 443],
  ['s3-fips.dualstack.{r}.amazonaws.com', 443],
  ['s3-accelerate.amazonaws.com', 443],
  ['s3-accelerate.dualstack.amazonaws.com', 443],
  ['bucket.vpce-*.s3.{r}.vpce.amazonaws.com', 443],
  ['s3-website-{r}.amazonaws.com', 80],
  ['s3-website.{r}.amazonaws.com', 80],
];

/** Everything that a named rule opens or closes, written out. */
export function naiveHosts(policy: PolicyDocument, rule: RuleDocument): NaiveHost[] {
  const regions = [policy.vars.region].flat();
  const hosts: NaiveHost[] = [];
  for (const host of rule.hosts ?? []) {
    for (const pattern of filled(host, regions, policy.vars.account)) {
      hosts.push({ pattern, ports: rule.ports ?? [443], allowPrivate: rule.allowPrivate ?? false });
    }
  }
  for (const name of rule.presets ?? []) {
    const preset = readPreset(name);
    for (const host of preset.hosts) {
      for (const pattern of filled(host, regions, policy.vars.account)) {
        const allowPrivate = rule.allowPrivate ?? preset.allowPrivate ?? false;
        hosts.push({ pattern, ports: preset.ports ?? [443], allowPrivate });
      }
    }
  }
  for (const bucket of rule.s3?.buckets ?? []) {
    for (const region of rule.s3?.regions ?? regions) {
      for (const [tail, port, onlyIn] of BUCKET_HOSTS) {
        if (onlyIn !== undefined && onlyIn !== region) continue;
        const pattern = `${bucket}.${tail.replace('{r}', region)}`;
        hosts.push({ pattern, ports: [port], allowPrivate: rule.allowPrivate ?? true });
      }
    }
  }
  return hosts;
}

interface PresetText {
  readonly hosts: readonly string[];
  readonly ports?: readonly number[];
  readonly allowPrivate?: boolean;
}

function readPreset(name: string): PresetText {
  return parse(readFileSync(checkoutUrl(`config/presets/${name}.yaml`), 'utf8'));
}

function filled(host: string, regions: readonly string[], account: string): string[] {
  const texts = regions.map(region =>
    host
      .replaceAll('{region}', region)
      .replaceAll('{account}', account)
      .replaceAll('{dns-suffix}', 'amazonaws.com')
      .replaceAll('{dualstack-suffix}', 'aws'),
  );
  return texts.map(text => text.toLowerCase());
}
