import type { DiscoveryReset, SitesPage } from '../../admin/daemon-api.ts';
import { formatSites, formatSourceSites } from '../../observe/discover.ts';
import type { Site, SourceSite } from '../../observe/site-query.ts';
import { sitesCsv, sourceSitesCsv } from '../../observe/sites-csv.ts';
import { AdminClient, expectOk, queryOf } from '../admin-client.ts';
import type { Options, RunCommand } from '../command.ts';
import { type ExitCode, type Io, UsageError } from '../io.ts';

export const discover: RunCommand = async ([verb], options, io) => {
  switch (verb) {
    case 'show':
      return list(options, io, {
        sites: ({ gateway, sites }) => formatSites(gateway, sites),
        sourceSites: ({ gateway, sites }) => formatSourceSites(gateway, sites),
      });
    case 'export':
      return list(options, io, {
        sites: ({ sites }) => sitesCsv(sites),
        sourceSites: ({ sites }) => sourceSitesCsv(sites),
      });
    case 'reset':
      return reset(options, io);
    default:
      throw new UsageError(`discover ${verb}: no such verb (discover show, export or reset)`);
  }
};

interface Format {
  readonly sites: (page: SitesPage<Site>) => string;
  readonly sourceSites: (page: SitesPage<SourceSite>) => string;
}

async function list(options: Options, io: Io, format: Format): Promise<ExitCode> {
  const admin = new AdminClient(options, io);
  const query = queryOf(options, ['since', 'newSince', 'source', 'verdict', 'limit']);
  const write = <S>(page: SitesPage<S>, text: (page: SitesPage<S>) => string) =>
    io.out(options.json === true ? `${JSON.stringify(page)}\n` : text(page));
  if (options.bySource === true) {
    query.set('by', 'source');
    write(await admin.get<SitesPage<SourceSite>>(`/api/v1/sites?${query}`), format.sourceSites);
  } else {
    write(await admin.get<SitesPage<Site>>(`/api/v1/sites?${query}`), format.sites);
  }
  return 0;
}

const PICKING: Readonly<Record<string, string>> = {
  since: '--since',
  newSince: '--new-since',
  source: '--source',
  verdict: '--verdict',
  limit: '--limit',
  bySource: '--by-source',
};

async function reset(options: Options, io: Io): Promise<ExitCode> {
  const [picking] = Object.entries(PICKING).flatMap(([name, flag]) =>
    options[name] === undefined ? [] : [flag],
  );
  if (picking !== undefined) throw new UsageError(`discover reset ${picking}: reset forgets all sites`);
  const answer = await new AdminClient(options, io).ask('POST', '/api/v1/sites/reset');
  const outcome = expectOk<DiscoveryReset>(answer);
  const { dropped } = outcome;
  if (options.json === true) io.out(`${JSON.stringify(outcome)}\n`);
  else io.out(`dropped ${dropped} ${dropped === 1 ? 'site' : 'sites'}; counting starts anew\n`);
  return 0;
}
