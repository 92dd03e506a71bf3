import { escapeValue } from './escape.ts';
import type { Site } from './sites.ts';

/** What a site is known by outside. */
export type SiteName = Pick<Site, 'host' | 'protocol' | 'port'>;

/** The text of `discover show`: a heading, an empty line, one `host,protocol,port` a line, in the order given. */
export function formatSites(gateway: string, sites: readonly SiteName[]): string {
  const noun = sites.length === 1 ? 'site' : 'sites';
  const heading = `Discovered ${sites.length} visited ${noun} from VPC of ${escapeValue(gateway)}:`;
  const lines = sites.map(({ host, protocol, port }) => `${escapeValue(host)},${protocol},${port}`);
  return [heading, '', ...lines].map(line => `${line}\n`).join('');
}

/** The same as data, with all that is known of each site. */
export interface DiscoveredSites {
  readonly gateway: string;
  readonly count: number;
  readonly sites: readonly Site[];
}

export function discoveredSites(gateway: string, sites: readonly Site[]): DiscoveredSites {
  return { gateway, count: sites.length, sites };
}
