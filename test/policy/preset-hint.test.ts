import { describe, expect, it } from 'vitest';
import { loadShippedPresets } from '../../src/config/presets.ts';
import { PresetHints } from '../../src/policy/preset-hint.ts';

const load = await loadShippedPresets();
const shipped = load.ok ? [...load.presets.values()] : [];
const own = {
  name: 'own',
  title: 'Ours',
  checked: '2026-11-21',
  sources: ['wiki'],
  note: '',
  hosts: ['api.corp.example'],
  ports: [443],
  allowPrivate: false,
};
const hints = new PresetHints(shipped, {
  own: [own],
  inUse: ['ecr', 'quay'],
  vars: new Map([
    ['region', ['us-east-1', 'eu-west-1']],
    ['account', ['123456789012']],
  ]),
});

describe('what a host is known as', () => {
  it.each([
    ['of a preset that is not used', 'auth.docker.io', 'belongs to preset docker-hub, which no rule uses'],
    ['of a preset of the operator', 'api.corp.example', 'belongs to preset own, which no rule uses'],
    ['of several', 'artifactregistry.googleapis.com', 'belongs to preset gcr, which no rule uses'],
    [
      'of a preset that is used, in another region',
      'api.ecr.ap-south-1.amazonaws.com',
      'belongs to preset ecr under region ap-south-1, which vars does not have',
    ],
    [
      'of another account and region',
      '210987654321.dkr.ecr.us-west-2.amazonaws.com',
      'belongs to preset ecr under account 210987654321 and region us-west-2, which vars does not have',
    ],
    [
      'of a used preset before one that is not',
      'cdn01.quay.io',
      'belongs to preset quay, whose rule has another port, source or end',
    ],
    [
      'of a bucket',
      'evil.s3.us-east-1.amazonaws.com',
      'is S3 bucket evil (virtual-hosted), which no s3 rule has',
    ],
    [
      'of an access point',
      'fin-210987654321.s3-accesspoint.us-east-1.amazonaws.com',
      'is S3 access point fin-210987654321 (access-point), which no s3 rule has',
    ],
    [
      'of all buckets',
      's3.us-east-1.amazonaws.com',
      'is S3 by path: the bucket does not show, and an s3 rule opens it only with allowPathStyle',
    ],
    ['of nothing', 'example.com', null],
  ])('%s', (_, hostname, hint) => {
    expect(hints.hintFor(hostname)).toBe(hint);
  });
});
