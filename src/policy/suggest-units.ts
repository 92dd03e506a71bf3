import type { Hostname } from './hostname.ts';
import { SourceTally } from './source-tally.ts';
import type { SeenSite } from './suggest-sites.ts';

/** What a rule has to allow: one host on some ports, for one set of sources. */
export interface Unit {
  readonly host: Hostname;
  /** Sorted. */
  readonly ports: readonly number[];
  readonly isPrivate: boolean;
  readonly echFlows: number;
  /** Sorted blocks; empty for any source. */
  readonly from: readonly string[];
  readonly tally: SourceTally;
}

/** Takes the ports of a host together where they have the same sources. In the order of hosts. */
export function unitsOf(sites: readonly SeenSite[]): Unit[] {
  const units = new Map<
    string,
    {
      host: Hostname;
      ports: number[];
      isPrivate: boolean;
      echFlows: number;
      from: string[];
      tally: SourceTally;
    }
  >();
  for (const { host, port, isPrivate, echFlows, blocks, tally } of sites) {
    const from = [...blocks].sort();
    const key = [host, ...from].join(' ');
    let unit = units.get(key);
    if (unit === undefined) {
      unit = { host, ports: [], isPrivate: false, echFlows: 0, from, tally: new SourceTally() };
      units.set(key, unit);
    }
    unit.ports.push(port);
    unit.isPrivate ||= isPrivate;
    unit.echFlows += echFlows;
    unit.tally.addAll(tally);
  }
  return [...units.values()];
}

/** Units by a text that says what they have in common, in the order of that text. */
export function groupUnits(units: readonly Unit[], keyOf: (unit: Unit) => string): Unit[][] {
  const groups = new Map<string, Unit[]>();
  for (const unit of units) {
    const key = keyOf(unit);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [unit]);
    else group.push(unit);
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** The sums of some units. */
export function tallyOf(units: readonly Unit[]): SourceTally {
  const sum = new SourceTally();
  for (const { tally } of units) sum.addAll(tally);
  return sum;
}
