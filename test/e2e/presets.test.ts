import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../src/admin/daemon-api.ts';
import type { RuleStatus } from '../../src/observe/rule-hits.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { Scope } from '../support/scope.ts';
import { connectRequest } from '../support/tunnel.ts';
import { until } from '../support/until.ts';

const POLICY = {
  mode: 'enforce',
  rules: [
    { name: 'registries', presets: ['ecr', 'ocsp-crl'] },
    { name: 'buckets', s3: { buckets: ['app-artifacts'] } },
  ],
};

describe('a daemon whose policy names presets and buckets', () => {
  const scope = new Scope();
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await TestDaemon.start({
      policy: { ...POLICY, vars: { account: '123456789012' } },
      env: { AWS_REGION: 'eu-west-1' },
    });
    scope.defer(() => daemon.kill());
    // The presets that hosts are known by are read once it serves.
    await until('presets are known', async () => (await explain('quay.io')).hint !== null);
  });
  afterAll(() => scope.close());

  async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    return (await (await fetch(`${daemon.admin}${path}`, init)).json()) as T;
  }

  function explain(host: string, port = 443): Promise<Explanation> {
    return ask('/api/v1/explain', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ host, port, from: '127.0.0.1' }),
    });
  }

  it.each([
    ['123456789012.dkr.ecr.eu-west-1.amazonaws.com', 443, 'allow', 'registries'],
    ['crl3.digicert.com', 80, 'allow', 'registries'],
    ['app-artifacts.s3.dualstack.eu-west-1.amazonaws.com', 443, 'allow', 'buckets'],
    ['210987654321.dkr.ecr.eu-west-1.amazonaws.com', 443, 'deny', undefined],
    ['crl3.digicert.com', 443, 'deny', undefined],
    ['other.s3.dualstack.eu-west-1.amazonaws.com', 443, 'deny', undefined],
    ['s3.eu-west-1.amazonaws.com', 443, 'deny', undefined],
  ])('%s:%i: %s', async (host, port, action, rule) => {
    const explanation = await explain(host, port);
    expect([explanation.action, explanation.rule?.name]).toEqual([action, rule]);
  });

  it('counts and lists rules as they are written', async () => {
    const { rules } = await ask<{ rules: RuleStatus[] }>('/api/v1/rules');
    expect(rules.map(({ name }) => name)).toEqual(['registries', 'buckets']);
    const { policy } = await ask<Status>('/api/v1/status');
    expect(policy.rules).toBe(2);
  });

  it('tells once, in a line of its own, which preset a refused host belongs to', async () => {
    for (let i = 0; i < 2; i++) {
      const peer = await Peer.dial(daemon.port('proxy'));
      await peer.send(connectRequest('210987654321.dkr.ecr.eu-west-1.amazonaws.com:443'));
      await peer.end();
    }
    const line = await daemon.line(({ event }) => event === 'hint');
    expect(line).toMatchObject({
      level: 'info',
      hostname: '210987654321.dkr.ecr.eu-west-1.amazonaws.com',
      hint: 'belongs to preset ecr under account 210987654321, which vars does not have',
    });
    await daemon.collect(({ event }) => event === 'close', 2);
    expect(daemon.lines.filter(({ event }) => event === 'hint')).toHaveLength(1);
  });

  it('reads the policy again when a preset of its own appears', async () => {
    const presets = join(daemon.directory, 'presets.d');
    mkdirSync(presets);
    writeFileSync(
      join(presets, 'own.yaml'),
      'version: 1\ntitle: Ours\nchecked: 2026-11-21\nsources: [wiki]\nhosts: [api.corp.example]\n',
    );
    daemon.writePolicy({
      ...POLICY,
      vars: { account: '123456789012' },
      rules: [...POLICY.rules, { name: 'own', presets: ['own'] }],
    });
    await until('the preset is in force', async () => (await explain('api.corp.example')).action === 'allow');
  });
});
