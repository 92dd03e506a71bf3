import { expect, test } from 'vitest';
import { formatSites, formatSourceSites } from '../../src/observe/discover.ts';
import { listSites, listSourceSites } from '../../src/observe/site-query.ts';
import { Sites } from '../../src/observe/sites.ts';
import { SourceGroups } from '../../src/policy/source-groups.ts';
import { decision, tallyOf } from './support.ts';

function sitesOf(...hostnames: string[]) {
  const sites = new Sites();
  sites.add(tallyOf(...hostnames.map(hostname => decision({ hostname }))).sites);
  return listSites(sites.rows(), {});
}

test('several sites are listed under a heading, to the letter', () => {
  const sites = sitesOf('registry-1.docker.io', 'auth.docker.io', 'logs.us-east-1.amazonaws.com');
  expect(
    formatSites('nv-transit-egress', sites),
  ).toBe(`Discovered 3 visited sites from VPC of nv-transit-egress:

registry-1.docker.io,tcp,443
auth.docker.io,tcp,443
logs.us-east-1.amazonaws.com,tcp,443
`);
});

test('one site is one site', () => {
  expect(formatSites('gw', sitesOf('a.example'))).toBe(
    'Discovered 1 visited site from VPC of gw:\n\na.example,tcp,443\n',
  );
});

test('no site leaves the heading', () => {
  expect(formatSites('gw', [])).toBe('Discovered 0 visited sites from VPC of gw:\n\n');
});

test('a host with a line break makes no second line', () => {
  expect(formatSites('gw', sitesOf('a\nb.example,tcp,443')).split('\n')).toHaveLength(4);
});

test('by source, a site is counted once and stands under each of its visitors', () => {
  const sites = new Sites();
  const visits = [
    ['10.0.0.1', 'a.example'],
    ['10.0.0.2', 'a.example'],
    ['10.0.0.1', 'b.example'],
  ] as const;
  sites.add(tallyOf(...visits.map(([srcIp, hostname]) => decision({ srcIp, hostname }))).sites);
  expect(formatSourceSites('gw', listSourceSites(sites.rows(), {}, new SourceGroups([])))).toBe(
    `Discovered 2 visited sites from VPC of gw:

10.0.0.1:
a.example,tcp,443
b.example,tcp,443

10.0.0.2:
a.example,tcp,443
`,
  );
});
