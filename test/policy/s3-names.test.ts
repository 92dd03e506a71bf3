import { describe, expect, it } from 'vitest';
import {
  accessPointFault,
  accessPointKind,
  bucketFault,
  bucketKind,
  isAskedByPath,
  isHidden,
} from '../../src/policy/s3-names.ts';

describe('an entry of buckets', () => {
  it.each([
    ['app-artifacts', 'bucket'],
    ['team-*-logs', 'bucket'],
    ['123456789012-logs', 'bucket'],
    ['logs-123456789012', 'bucket'],
    ['my.dotted.bucket', 'bucket'],
    ['my-ap-hrzrlukc-s3alias', 'alias'],
    ['my-ap-hrzrlukc--ol-s3', 'alias'],
    ['base--use1-az4--x-s3', 'directory'],
    ['ap--use1-az4--xa-s3', 'directory'],
  ])('%s is a name: %s', (name, kind) => {
    expect([bucketFault(name), bucketKind(name)]).toEqual([null, kind]);
  });

  it.each([
    ['arn:aws:s3:::app/prefix', 'a bucket stands here by its bare name', 'write "app"'],
    ['s3://app/key', 'a bucket stands here by its bare name', 'write "app"'],
    ['app/prefix', '"app/prefix" is no bucket name', 'use lower-case letters, digits, hyphens and *'],
    ['', '"" is no bucket name', 'use lower-case letters, digits, hyphens and *'],
    ['a**b', 'two stars in a row', 'write one *'],
    ['*', '"*" would open every bucket', 'name the buckets'],
    ['*-*', '"*-*" would open every bucket', 'name the buckets'],
  ])('%s is none', (text, message, fix) => {
    expect(bucketFault(text)).toEqual({ message, fix });
  });

  it.each([
    ['app', false, false],
    ['my.bucket', true, false],
    ['my_bucket', true, false],
    ['MyBucket', true, true],
  ])('%s: asked by path %s, hidden %s', (name, byPath, hidden) => {
    expect([isAskedByPath(name), isHidden(name)]).toEqual([byPath, hidden]);
  });
});

describe('an entry of accessPoints', () => {
  it.each([
    ['finance-123456789012', 'access-point'],
    ['fin*-123456789012', 'access-point'],
    ['my-ap-hrzrlukc-s3alias', 'alias'],
    ['my-ap-hrzrlukc--ol-s3', 'alias'],
    ['ap--use1-az4--xa-s3', 'directory'],
    ['mfzwi23gnjvgw.mrap', 'multi-region'],
  ])('%s is a name: %s', (name, kind) => {
    expect([accessPointFault(name), accessPointKind(name)]).toEqual([null, kind]);
  });

  it.each([
    ['arn:aws:s3:us-east-1:123456789012:accesspoint/finance', 'write "finance-123456789012"'],
    ['arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/finance', 'write "finance-123456789012"'],
    ['arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap', 'write "mfzwi23gnjvgw.mrap"'],
    [
      'finance',
      'write NAME-ACCOUNT as in "finance-123456789012", or an alias that ends in -s3alias, --ol-s3, --xa-s3 or .mrap',
    ],
    ['*-123456789012', 'name them'],
  ])('%s is none: %s', (text, fix) => {
    expect(accessPointFault(text)?.fix).toBe(fix);
  });
});
