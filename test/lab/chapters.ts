import { FAMILIES, type Family } from './addresses.ts';
import type { Intercept } from './gateway-config.ts';
import type { Chapter, Row } from './row.ts';
import { balancerRows } from './rows/balancer.ts';
import { loadLocalRow, localRows, ownTrafficRows } from './rows/gateway-itself.ts';
import { httpRows, tlsRows } from './rows/names.ts';
import { outageRows, startRow, stopRow, withoutCapabilityRow } from './rows/outage.ts';
import { pastRows, strictRows } from './rows/past.ts';
import { postgresRows } from './rows/postgres.ts';
import { loadedRow, nothingPastRow, plainRow, removedRow, strictRow } from './rows/ruleset.ts';
import { sourceRows } from './rows/sources.ts';
import { sshRows } from './rows/ssh.ts';

/** All that is tried in a lab, in order: later chapters change what earlier ones have used. */
export function chapters(intercept: Intercept): Chapter[] {
  return [
    { title: 'The ruleset is loaded', rows: [loadedRow] },
    { title: 'TLS', rows: inBoth(tlsRows) },
    { title: 'Plain HTTP', rows: inBoth(httpRows) },
    { title: 'SSH, which says no name', rows: inBoth(sshRows) },
    { title: 'PostgreSQL', rows: inBoth(postgresRows) },
    { title: 'What no listener takes', rows: inBoth(pastRows) },
    { title: 'Sources', rows: inBoth(sourceRows) },
    { title: 'Behind a load balancer', rows: inBoth(balancerRows) },
    { title: "The gateway's own traffic", rows: ownTraffic(intercept) },
    { title: 'Strict', rows: [strictRow, ...inBoth(strictRows), plainRow] },
    { title: 'The daemon stops', rows: outage(intercept) },
    { title: 'The outside', rows: [nothingPastRow] },
    { title: 'The ruleset is removed', rows: [removedRow] },
  ];
}

function inBoth(rows: (family: Family) => readonly Row[]): Row[] {
  return FAMILIES.flatMap(rows);
}

function ownTraffic(intercept: Intercept): Row[] {
  const local = intercept === 'redirect' ? [...inBoth(localRows), plainRow] : [];
  return [...inBoth(ownTrafficRows), loadLocalRow(intercept), ...local];
}

function outage(intercept: Intercept): Row[] {
  const unable = intercept === 'tproxy' ? [withoutCapabilityRow] : [];
  return [stopRow, ...inBoth(outageRows), ...unable, startRow, ...inBoth(backRows)];
}

/** TLS to an allowed name, as before. */
function backRows(family: Family): Row[] {
  return tlsRows(family).slice(0, 1);
}
