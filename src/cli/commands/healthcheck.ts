import { AdminClient } from '../admin-client.ts';
import type { RunCommand } from '../command.ts';

export const healthcheck: RunCommand = async (_args, options, io) => {
  const path = options.ready === true ? '/-/ready' : '/-/healthy';
  const { status } = await new AdminClient(options, io).ask('GET', path);
  io.out(`${status === 200 ? 'ok' : `not ok: ${path} answered ${status}`}\n`);
  return status === 200 ? 0 : 1;
};
