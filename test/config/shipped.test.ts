import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { daemonJsonSchema, policyJsonSchema, presetJsonSchema } from '../../src/config/json-schema.ts';
import { loadDaemonConfig, loadPolicy } from '../../src/config/load.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';

const CONFIG = join(import.meta.dirname, '../../config');

describe('the shipped configuration', () => {
  it('has a policy that loads without a warning', async () => {
    const load = await loadPolicy(join(CONFIG, 'policy.yaml'));
    expect(load).toMatchObject({ ok: true, warnings: [], policy: { mode: 'observe' } });
    if (load.ok) expect(Policy.from(compilePolicy(load.policy)).ruleCount).toBe(3);
  });

  it('has a daemon configuration that loads, and shows the defaults', async () => {
    const load = await loadDaemonConfig(join(CONFIG, 'sallyport.yaml'));
    expect(load).toMatchObject({
      ok: true,
      config: {
        gateway: null,
        policyPath: join(CONFIG, 'policy.yaml'),
        dataplane: 'auto',
        workers: 'auto',
        listeners: [{ name: 'proxy', kind: 'explicit', host: '127.0.0.1', port: 3128 }],
        admin: { host: '127.0.0.1', port: 9464, tokenFile: null, tokenFor: 'changes', hostnames: [] },
        log: { level: 'info', format: 'json' },
        dns: { servers: [], hosts: {} },
        destinations: { allow: [], deny: [] },
        netfilter: { except: [], strict: false, local: false, user: null },
        sites: { storePath: null, maxSites: 10_000, maxAgeMs: 90 * 24 * 3_600_000 },
        limits: {
          flows: 'auto',
          flowsPerSource: 0,
          undecided: 4_096,
          undecidedPerSource: 128,
          lookupsPerSource: 100,
          helloTimeoutMs: 5000,
          helloBytes: 65_536,
          dialTimeoutMs: 10_000,
          idleTimeoutMs: 3_600_000,
          drainTimeoutMs: 25_000,
        },
        onDeny: 'alert',
      },
    });
  });

  it.each([
    ['policy', policyJsonSchema],
    ['sallyport', daemonJsonSchema],
    ['preset', presetJsonSchema],
  ] as const)('has the current JSON Schema: %s', async (name, generate) => {
    const file = await readFile(join(CONFIG, 'schema', `${name}.schema.json`), 'utf8');
    expect(JSON.parse(file)).toEqual(JSON.parse(JSON.stringify(generate())));
  });

  it.each([
    ['policy', policyJsonSchema],
    ['sallyport', daemonJsonSchema],
    ['preset', presetJsonSchema],
  ] as const)('describes every key: %s', (_, generate) => {
    expect(undescribed(generate(), '')).toEqual([]);
  });
});

/** Paths of the properties in a JSON Schema that have no description. */
function undescribed(schema: unknown, path: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key !== 'properties') return undescribed(value, path);
    return Object.entries(value).flatMap(([name, property]) => {
      const at = `${path}.${name}`;
      const isDescribed = typeof property === 'object' && property !== null && 'description' in property;
      return [...(isDescribed ? [] : [at]), ...undescribed(property, at)];
    });
  });
}
