import type { Readiness } from '../../observe/readiness.ts';
import { formatReadiness } from '../../observe/readiness-text.ts';
import { AdminClient, queryOf } from '../admin-client.ts';
import type { RunCommand } from '../command.ts';

export const readiness: RunCommand = async (_args, options, io) => {
  const query = queryOf(options, ['minDays', 'quietHours', 'maxDrops', 'calendar']);
  const assessed = await new AdminClient(options, io).get<Readiness>(`/api/v1/readiness?${query}`);
  io.out(options.json === true ? `${JSON.stringify(assessed)}\n` : formatReadiness(assessed));
  return assessed.verdict === 'ready' ? 0 : 1;
};
