import { describe, expect, test } from 'vitest';
import { Metrics } from '../../src/observe/metrics.ts';
import { Reporter } from '../../src/observe/reporter.ts';
import { close, decision, tallyOf } from './support.ts';

function newMetrics(maxRuleSeries = 100): Metrics {
  return new Metrics({ version: '1.2.3', node: 'v20.0.0', now: () => 1_700_000_000_000, maxRuleSeries });
}

/** The samples whose line starts with `name`, comments left out. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split('\n').filter(line => line.startsWith(name));
}

describe('before any flow', () => {
  const expected = [
    'sallyport_build_info{version="1.2.3",node="v20.0.0"} 1',
    'sallyport_bytes_total{direction="out"} 0',
    'sallyport_bytes_total{direction="in"} 0',
    'sallyport_dial_failures_total{cause="refused"} 0',
    'sallyport_dial_failures_total{cause="timeout"} 0',
    'sallyport_dial_failures_total{cause="unreachable"} 0',
    'sallyport_dial_failures_total{cause="other"} 0',
    'sallyport_reloads_total{result="success"} 0',
    'sallyport_reloads_total{result="failure"} 0',
    'sallyport_limit_rejections_total{limit="flows"} 0',
    'sallyport_limit_rejections_total{limit="flowsPerSource"} 0',
    'sallyport_limit_rejections_total{limit="undecided"} 0',
    'sallyport_limit_rejections_total{limit="undecidedPerSource"} 0',
    'sallyport_limit_rejections_total{limit="lookupsPerSource"} 0',
    'sallyport_limit_rejections_total{limit="descriptors"} 0',
    'sallyport_sites 0',
    'sallyport_site_evictions_total 0',
    'sallyport_log_suppressed_total 0',
    'sallyport_log_dropped_total 0',
    'sallyport_config_last_reload_successful 0',
    'sallyport_sniff_seconds_count 0',
    'sallyport_dial_seconds_count 0',
    'sallyport_flow_seconds_count 0',
  ];
  test.each(expected)('%s', async line => {
    expect(await samples(newMetrics(), line)).toEqual([line]);
  });

  test('the process and its event loop are there', async () => {
    expect(await samples(newMetrics(), 'process_resident_memory_bytes')).toHaveLength(1);
    expect(await samples(newMetrics(), 'nodejs_eventloop_lag_p99_seconds')).toHaveLength(1);
  });
});

test('decisions are counted by listener, protocol, action and reason', async () => {
  const metrics = newMetrics();
  metrics.add(tallyOf(decision(), decision({ rule: 'api' })));
  metrics.add(tallyOf(decision({ state: 'MATCHED', action: 'allow', reason: null, rule: 'api' })));
  expect(await samples(metrics, 'sallyport_flows_total')).toEqual([
    'sallyport_flows_total{listener="gw",protocol="tls",action="would-deny",reason="not_allowed"} 2',
    'sallyport_flows_total{listener="gw",protocol="tls",action="allow",reason="none"} 1',
  ]);
  expect(await samples(metrics, 'sallyport_rule_hits_total')).toEqual([
    'sallyport_rule_hits_total{rule="api"} 2',
  ]);
});

test('times are seconds', async () => {
  const metrics = newMetrics();
  metrics.add(tallyOf(decision({ sniffMs: 250 }), close({ dialMs: 500, durationMs: 2_000 })));
  metrics.add(tallyOf(close({ dialMs: null, durationMs: 1_000, end: 'refused' })));
  expect(await samples(metrics, 'sallyport_sniff_seconds_sum')).toEqual(['sallyport_sniff_seconds_sum 0.25']);
  expect(await samples(metrics, 'sallyport_dial_seconds_sum')).toEqual(['sallyport_dial_seconds_sum 0.5']);
  expect(await samples(metrics, 'sallyport_dial_seconds_count')).toEqual(['sallyport_dial_seconds_count 1']);
  expect(await samples(metrics, 'sallyport_flow_seconds_sum')).toEqual(['sallyport_flow_seconds_sum 3']);
  expect(await samples(metrics, 'sallyport_flow_seconds_bucket{le="1"}')).toEqual([
    'sallyport_flow_seconds_bucket{le="1"} 1',
  ]);
});

test('failed dials are counted by cause', async () => {
  const metrics = newMetrics();
  metrics.add(tallyOf(close({ end: 'dial_failed', dialMs: null, dialFailure: 'timeout' })));
  expect(await samples(metrics, 'sallyport_dial_failures_total{cause="timeout"}')).toEqual([
    'sallyport_dial_failures_total{cause="timeout"} 1',
  ]);
});

test('limits are counted from decisions and from connections shed before one', async () => {
  const metrics = newMetrics();
  const denied = { state: 'DENIED', action: 'deny' } as const;
  metrics.add(
    tallyOf(
      decision({ ...denied, reason: 'flow_limit' }),
      decision({ ...denied, reason: 'source_limit' }),
      decision({ ...denied, reason: 'flow_limit' }),
    ),
  );
  metrics.limitReached('descriptors', 3);
  expect(await samples(metrics, 'sallyport_limit_rejections_total')).toEqual([
    'sallyport_limit_rejections_total{limit="flows"} 2',
    'sallyport_limit_rejections_total{limit="flowsPerSource"} 1',
    'sallyport_limit_rejections_total{limit="undecided"} 0',
    'sallyport_limit_rejections_total{limit="undecidedPerSource"} 0',
    'sallyport_limit_rejections_total{limit="lookupsPerSource"} 0',
    'sallyport_limit_rejections_total{limit="descriptors"} 3',
  ]);
});

test('live values are read at each scrape', async () => {
  const metrics = newMetrics();
  let bytes = 10;
  let openFlows: Record<string, number> = { gw: 2, tls: 1 };
  metrics.readFrom({ bytes: () => ({ out: bytes, in: 2 * bytes }), openFlows: () => openFlows });
  metrics.readFrom({ sites: () => ({ size: 7, evictions: 4 }), logDropped: () => 5 });
  expect(await samples(metrics, 'sallyport_bytes_total')).toEqual([
    'sallyport_bytes_total{direction="out"} 10',
    'sallyport_bytes_total{direction="in"} 20',
  ]);
  bytes = 15;
  openFlows = { gw: 1 };
  expect(await samples(metrics, 'sallyport_bytes_total{direction="out"}')).toEqual([
    'sallyport_bytes_total{direction="out"} 15',
  ]);
  expect(await samples(metrics, 'sallyport_open_flows')).toEqual(['sallyport_open_flows{listener="gw"} 1']);
  expect(await samples(metrics, 'sallyport_sites')).toEqual(['sallyport_sites 7']);
  expect(await samples(metrics, 'sallyport_site_evictions_total')).toEqual([
    'sallyport_site_evictions_total 4',
  ]);
  expect(await samples(metrics, 'sallyport_log_dropped_total')).toEqual(['sallyport_log_dropped_total 5']);
});

test('one policy is in force at a time', async () => {
  const metrics = newMetrics();
  let policy: { sha256: string; mode: 'observe' | 'enforce' } = { sha256: 'aa', mode: 'observe' };
  metrics.readFrom({ policy: () => policy });
  await metrics.render();
  policy = { sha256: 'bb', mode: 'enforce' };
  expect(await samples(metrics, 'sallyport_policy_info')).toEqual([
    'sallyport_policy_info{sha256="bb",mode="enforce"} 1',
  ]);
});

test('a refused reload shows until the next good one, and the last good one keeps its time', async () => {
  const metrics = newMetrics();
  metrics.policyLoaded();
  metrics.reloadFailed();
  expect(await samples(metrics, 'sallyport_config_last_reload')).toEqual([
    'sallyport_config_last_reload_successful 0',
    'sallyport_config_last_reload_success_timestamp_seconds 1700000000',
  ]);
  metrics.policyLoaded();
  metrics.reloadSucceeded();
  expect(await samples(metrics, 'sallyport_config_last_reload_successful')).toEqual([
    'sallyport_config_last_reload_successful 1',
  ]);
  expect(await samples(metrics, 'sallyport_reloads_total')).toEqual([
    'sallyport_reloads_total{result="success"} 1',
    'sallyport_reloads_total{result="failure"} 1',
  ]);
});

test('rules past the bound share one series', async () => {
  const metrics = newMetrics(2);
  for (const rule of ['a', 'b', 'c', 'd', 'a']) metrics.add(tallyOf(decision({ rule })));
  expect(await samples(metrics, 'sallyport_rule_hits_total')).toEqual([
    'sallyport_rule_hits_total{rule="a"} 2',
    'sallyport_rule_hits_total{rule="b"} 1',
    'sallyport_rule_hits_total{rule="_other"} 2',
  ]);
});

test('a hundred thousand random names add no series, and none is ever shown', async () => {
  const metrics = newMetrics();
  metrics.add(tallyOf(decision({ hostname: 'first.example' }), close({ hostname: 'first.example' })));
  const before = (await samples(metrics, 'sallyport_')).length;
  const reporter = new Reporter({ format: 'json', gateway: 'gw', saysFlows: false, fold: null });
  for (let i = 0; i < 100_000; i++) {
    reporter.decided(decision({ hostname: `n${i}.example`, dstIp: `192.0.2.${i % 256}` }));
  }
  metrics.add(reporter.take().tally);
  const after = await samples(metrics, 'sallyport_');
  expect(after).toHaveLength(before);
  expect(after.join('\n')).not.toMatch(/example|192\.0\.2|10\.12\.4|54\.152/);
});

test('two of them do not share a registry', async () => {
  const one = newMetrics();
  one.add(tallyOf(decision()));
  expect(await samples(newMetrics(), 'sallyport_flows_total')).toEqual([]);
});
