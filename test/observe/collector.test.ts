import { expect, test } from 'vitest';
import { Collector } from '../../src/observe/collector.ts';
import { LiveTail } from '../../src/observe/live-tail.ts';
import { createLog } from '../../src/observe/log.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import type { ReporterSettings } from '../../src/observe/reporter.ts';
import { RuleHits } from '../../src/observe/rule-hits.ts';
import { Sites } from '../../src/observe/sites.ts';
import { close, decision, MemoryDestination, reportOf } from './support.ts';

class CountingDestination extends MemoryDestination {
  writes = 0;

  override write(lines: string | Uint8Array): void {
    this.writes++;
    super.write(lines);
  }
}

const SETTINGS: ReporterSettings = { format: 'json', gateway: 'gw', saysFlows: true, fold: null };

function collectorOf() {
  const destination = new CountingDestination();
  const sites = new Sites();
  const ruleHits = new RuleHits();
  const metrics = new Metrics({ version: '1.2.3' });
  const tail = new LiveTail();
  const log = createLog({ level: 'info', format: 'json', gateway: 'gw', destination });
  return {
    collector: new Collector({ log, metrics, sites, ruleHits, tail }),
    destination,
    tail,
    metrics,
    sites,
    ruleHits,
  };
}

test('each part of a report goes where it belongs', async () => {
  const { collector, destination, metrics, sites, ruleHits } = collectorOf();
  collector.collect(reportOf(SETTINGS, decision({ rule: 'api' }), close({ bytesOut: 5, bytesIn: 6 })));
  expect(destination.lines.map(line => JSON.parse(line).event)).toEqual(['decision', 'close']);
  expect(sites.rows()).toMatchObject([{ count: { host: 'registry-1.docker.io', bytesOut: 5, bytesIn: 6 } }]);
  expect(ruleHits.of('api')?.hits).toBe(1);
  const samples = (await metrics.render()).body.split('\n');
  const expected = ['sallyport_rule_hits_total{rule="api"} 1', 'sallyport_flow_seconds_count 1'];
  expect(samples.filter(line => expected.includes(line))).toEqual(expected);
});

test('the reports of two threads add up', async () => {
  const { collector, destination, metrics, sites, ruleHits } = collectorOf();
  const threads = [
    reportOf(SETTINGS, decision({ rule: 'api' })),
    reportOf(SETTINGS, decision({ rule: 'api' })),
  ];
  for (const report of threads) collector.collect(report);
  expect(destination.lines).toHaveLength(2);
  expect(sites.rows()[0]?.count.states.NO_MATCH).toBe(2);
  expect(ruleHits.of('api')?.hits).toBe(2);
  expect((await metrics.render()).body).toContain('sallyport_rule_hits_total{rule="api"} 2\n');
});

test('a report without lines writes nothing and counts all the same', () => {
  const { collector, destination, sites } = collectorOf();
  collector.collect(reportOf({ ...SETTINGS, saysFlows: false, fold: null }, decision()));
  expect(destination.writes).toBe(0);
  expect(sites.size).toBe(1);
});

test('who listens gets the lines as the log does, for as long as they listen', () => {
  const { collector, destination, tail } = collectorOf();
  const heard: string[] = [];
  const leave = tail.listen(lines =>
    heard.push(
      ...Buffer.from(lines)
        .toString()
        .split(/(?<=\n)/),
    ),
  );
  collector.collect(reportOf(SETTINGS, decision({ rule: 'api' }), close({})));
  expect(heard).toEqual(destination.lines);
  leave();
  collector.collect(reportOf(SETTINGS, decision({ rule: 'api' })));
  expect([heard.length, destination.lines.length, tail.listeners]).toEqual([2, 3, 0]);
});
