import { escapeText, escapeValue } from './escape.ts';
import type { Site, SourceSite } from './site-query.ts';

/** What a site is known by outside. */
export type SiteName = Pick<Site, 'host' | 'protocol' | 'port'>;

/** The text of `discover show`: a heading, an empty line, one `host,protocol,port` a line, in the order given. */
export function formatSites(gateway: string, sites: readonly SiteName[]): string {
  return lines([heading(gateway, sites.length), '', ...sites.map(formatName)]);
}

/** The same with the sites of each source under its address, in the order given. */
export function formatSourceSites(gateway: string, sites: readonly SourceSite[]): string {
  const bySource = new Map<string, SourceSite[]>();
  for (const site of sites) {
    const visited = bySource.get(site.source);
    if (visited === undefined) bySource.set(site.source, [site]);
    else visited.push(site);
  }
  const distinct = new Set(sites.map(formatName)).size;
  const sections = [...bySource].flatMap(([source, visited]) => {
    const groups = visited[0]?.groups ?? [];
    const title = groups.length === 0 ? source : `${source} (${groups.join(', ')})`;
    return ['', `${escapeText(title)}:`, ...visited.map(formatName)];
  });
  return lines([heading(gateway, distinct), ...sections]);
}

function heading(gateway: string, count: number): string {
  return `Discovered ${count} visited ${count === 1 ? 'site' : 'sites'} from VPC of ${escapeValue(gateway)}:`;
}

function formatName({ host, protocol, port }: SiteName): string {
  return `${escapeValue(host)},${protocol},${port}`;
}

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}
