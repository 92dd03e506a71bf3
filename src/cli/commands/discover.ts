import { discoveredSites, formatSites } from '../../observe/discover.ts';
import type { Site } from '../../observe/sites.ts';
import { AdminClient } from '../admin-client.ts';
import type { RunCommand } from '../command.ts';
import { UsageError } from '../io.ts';

export const discover: RunCommand = async ([verb], options, io) => {
  if (verb !== 'show') throw new UsageError(`discover ${verb}: no such verb (discover show)`);
  const { gateway, sites } = await new AdminClient(options, io).get<{ gateway: string; sites: Site[] }>(
    '/api/v1/sites',
  );
  io.out(
    options.json === true
      ? `${JSON.stringify(discoveredSites(gateway, sites))}\n`
      : formatSites(gateway, sites),
  );
  return 0;
};
