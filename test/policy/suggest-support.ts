import type { IpAddress } from '../../src/policy/address.ts';
import { Cidr } from '../../src/policy/address.ts';
import type { Preset, PresetCatalogue } from '../../src/policy/presets.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { type Suggestion, type SuggestOptions, suggestPolicy } from '../../src/policy/suggest.ts';
import { SeenSites, type SeenSitesOptions } from '../../src/policy/suggest-sites.ts';
import { seen } from '../flow-log/support.ts';

const PRIVATE = Cidr.parse('10.0.0.0/8');

/** The sites of flows; addresses in 10.0.0.0/8 are private. */
export function sitesOf(flows: readonly SeenFlow[], options: Partial<SeenSitesOptions> = {}): SeenSites {
  const sites = new SeenSites({
    includeDenied: false,
    existing: null,
    nowMs: Date.UTC(2026, 10, 21),
    isPrivate: (address: IpAddress) => PRIVATE?.contains(address) === true,
    sourcePrefix: null,
    ...options,
  });
  for (const flow of flows) sites.add(flow);
  return sites;
}

export function suggested(
  flows: readonly SeenFlow[],
  options: Partial<SuggestOptions> = {},
  sitesOptions: Partial<SeenSitesOptions> = {},
): Suggestion {
  return suggestPolicy(sitesOf(flows, sitesOptions), {
    mode: 'observe',
    exact: false,
    minSiblings: 3,
    presets: new Map(),
    existing: null,
    ...options,
  });
}

/** A flow to each host; one may name its port. */
export function flowsTo(hosts: readonly string[], rest: Partial<SeenFlow> = {}): SeenFlow[] {
  return hosts.map(host => {
    const [hostname = '', port = '443'] = host.split(':');
    return seen({ hostname, port: Number(port), ...rest });
  });
}

export function preset(name: string, hosts: readonly string[], rest: Partial<Preset> = {}): Preset {
  const about = { title: name, checked: '2026-11-21', sources: ['https://example.com'], note: '' };
  return { name, ...about, hosts, ports: [443], allowPrivate: false, ...rest };
}

export function catalogue(...presets: readonly Preset[]): PresetCatalogue {
  return new Map(presets.map(item => [item.name, item]));
}
