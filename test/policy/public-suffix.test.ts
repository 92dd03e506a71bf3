import { describe, expect, it } from 'vitest';
import { SuffixGuard } from '../../src/policy/public-suffix.ts';
import { pattern } from './reference.ts';

describe('the public suffix guard', () => {
  it.each([
    ['api.example.com', 'fine'],
    ['*.example.com', 'fine'],
    ['**.example.co.uk', 'fine'],
    ['*.com', 'covered'],
    ['**.co.uk', 'covered'],
    ['*.github.io', 'covered'],
    ['*.s3.amazonaws.com', 'covered'],
    ['**.s3.eu-west-1.amazonaws.com', 'covered'],
    ['**.amazonaws.com', 'covered'],
    ['*.core.windows.net', 'covered'],
    ['www.*.com', 'covered'],
    ['example.*', 'covered'],
    ['example.c*', 'covered'],
    ['example*.com', 'registrable'],
    ['team-*.s3.amazonaws.com', 'fine'],
    ['*.team.s3.amazonaws.com', 'fine'],
    ['*.dkr.ecr.us-east-1.amazonaws.com', 'fine'],
    ['ecs-a-*.us-east-1.amazonaws.com', 'fine'],
    ['*.internal', 'fine'],
    ['**.cluster.local', 'fine'],
    ['localhost', 'fine'],
  ])('%s: %s', (text, kind) => {
    expect(new SuffixGuard().judge(pattern(text)).kind).toBe(kind);
  });

  it('says the same of one domain again', () => {
    const guard = new SuffixGuard();
    expect(guard.judge(pattern('**.amazonaws.com')).kind).toBe('covered');
    expect(guard.judge(pattern('*.dkr.ecr.us-east-1.amazonaws.com')).kind).toBe('fine');
    expect(guard.judge(pattern('**.amazonaws.com')).kind).toBe('covered');
  });
});
