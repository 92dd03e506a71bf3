import { expect, test } from 'vitest';
import { discoveredSites, formatSites } from '../../src/observe/discover.ts';
import { Sites } from '../../src/observe/sites.ts';
import { decision, tallyOf } from './support.ts';

function sitesOf(...hostnames: string[]): Sites {
  const sites = new Sites();
  sites.add(tallyOf(...hostnames.map(hostname => decision({ hostname }))).sites);
  return sites;
}

test('several sites are listed under a heading, to the letter', () => {
  const sites = sitesOf('registry-1.docker.io', 'auth.docker.io', 'logs.us-east-1.amazonaws.com');
  expect(
    formatSites('nv-transit-egress', sites.list()),
  ).toBe(`Discovered 3 visited sites from VPC of nv-transit-egress:

registry-1.docker.io,tcp,443
auth.docker.io,tcp,443
logs.us-east-1.amazonaws.com,tcp,443
`);
});

test('one site is one site', () => {
  expect(formatSites('gw', sitesOf('a.example').list())).toBe(
    'Discovered 1 visited site from VPC of gw:\n\na.example,tcp,443\n',
  );
});

test('no site leaves the heading', () => {
  expect(formatSites('gw', [])).toBe('Discovered 0 visited sites from VPC of gw:\n\n');
});

test('a host with a line break makes no second line', () => {
  expect(formatSites('gw', sitesOf('a\nb.example,tcp,443').list()).split('\n')).toHaveLength(4);
});

test('as data, the sites are counted and whole', () => {
  const sites = sitesOf('a.example').list();
  expect(discoveredSites('gw', sites)).toEqual({ gateway: 'gw', count: 1, sites });
});
