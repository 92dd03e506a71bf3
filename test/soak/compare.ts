import type { Crowd, Lived } from './crowd.ts';
import type { Expected } from './lives.ts';
import { flowKey, type RecordReader, type RecordSum } from './records.ts';
import type { Subject } from './subject.ts';
import { hostOf, type Town } from './town.ts';

/** One thing that was held against another. */
export interface Finding {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** The clients' view against the records: each kind of flow as often as it was lived. */
export function compareFlows(lived: readonly Lived[], records: RecordReader): Finding[] {
  const expected = new Map<string, number>();
  for (const { life, count } of lived) {
    for (const flow of life.flows) add(expected, flowKey(flow), count);
  }
  const anyEnd = new Set(
    lived.flatMap(({ life }) => life.flows.filter(({ end }) => end === '*').map(withoutEnd)),
  );
  const found = new Map<string, number>();
  for (const [key, { flows }] of records.flows) {
    const start = key.slice(0, key.lastIndexOf(' '));
    add(found, anyEnd.has(start) ? `${start} *` : key, flows);
  }
  return differences('flows', expected, found);
}

/** The clients' and the upstreams' bytes against those of the records. */
export function compareBytes(lived: readonly Lived[], records: RecordReader, town: Town): Finding[] {
  const findings: Finding[] = [];
  for (const { life, received, count } of lived) {
    if (life.counted === null) continue;
    const sum = sumOf(records, hostOf(life.counted), 'allow');
    const seen = town.seen.get(life.counted);
    findings.push(
      ...difference(`bytes to clients, ${life.name}`, received, sum.bytesIn),
      ...difference(`bytes to upstreams, ${life.name}`, seen?.received ?? 0, sum.bytesOut),
      ...difference(`connections to upstreams, ${life.name}`, seen?.connections ?? 0, count),
    );
  }
  return findings;
}

/** The metrics against the records. */
export async function compareMetrics(records: RecordReader, subject: Subject): Promise<Finding[]> {
  const counted = new Map<string, number>();
  for (const [labels, value] of await subject.metric('sallyport_flows_total')) {
    const of = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    add(counted, `${of('listener')} ${of('protocol')} ${of('action')} ${of('reason')}`, value);
  }
  const bytes = await subject.metric('sallyport_bytes_total');
  const { out, in: inward } = (await subject.status()).bytes;
  const { bytesOut, bytesIn } = records.total;
  return [
    ...differences('sallyport_flows_total', records.decisions, counted),
    ...difference('bytes_total, out', bytesOut, bytes.get('direction="out"') ?? 0),
    ...difference('bytes_total, in', bytesIn, bytes.get('direction="in"') ?? 0),
    ...difference('bytes of the status, out', bytesOut, out),
    ...difference('bytes of the status, in', bytesIn, inward),
  ];
}

/** The sites that were visited against the records. */
export async function compareSites(records: RecordReader, subject: Subject): Promise<Finding[]> {
  const visited = new Map<string, number>();
  for (const [key, { flows }] of records.flows) {
    const [, hostname = '-'] = key.split(' ');
    if (hostname !== '-') add(visited, hostname, flows);
  }
  const sites = new Map<string, number>();
  for (const { host, flows } of await subject.sites())
    add(sites, host.replace(/^fail-\d+\./, 'fail-*.'), flows);
  return differences('site', visited, sites);
}

/** What the clients ran into, and what is wrong with the records by themselves. */
export function faultsOf(crowd: Crowd, records: RecordReader): Finding[] {
  const faults = [...crowd.faults, ...records.faults].map(found => ({
    what: 'fault',
    expected: 'none',
    found,
  }));
  return [...faults, ...difference('clients that saw what they must not', 0, crowd.faulty)];
}

export function difference(what: string, expected: number, found: number): Finding[] {
  return expected === found ? [] : [{ what, expected: String(expected), found: String(found) }];
}

function differences(
  what: string,
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): Finding[] {
  const keys = new Set([...expected.keys(), ...found.keys()]);
  return [...keys].flatMap(key => difference(`${what}: ${key}`, expected.get(key) ?? 0, found.get(key) ?? 0));
}

function sumOf(records: RecordReader, hostname: string, action: string): RecordSum {
  const sum = { flows: 0, bytesOut: 0, bytesIn: 0 };
  for (const [key, each] of records.flows) {
    const [, of, did] = key.split(' ');
    if (of !== hostname || did !== action) continue;
    sum.flows += each.flows;
    sum.bytesOut += each.bytesOut;
    sum.bytesIn += each.bytesIn;
  }
  return sum;
}

function withoutEnd(flow: Expected): string {
  const key = flowKey(flow);
  return key.slice(0, key.lastIndexOf(' '));
}

function add(counts: Map<string, number>, key: string, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
