import type { ReloadOutcome } from '../../admin/daemon-api.ts';
import { AdminClient, expectOk } from '../admin-client.ts';
import type { RunCommand } from '../command.ts';

export const reload: RunCommand = async (_args, options, io) => {
  const answer = await new AdminClient(options, io).ask('POST', '/-/reload');
  const outcome = expectOk<ReloadOutcome>(answer.status === 422 ? { ...answer, status: 200 } : answer);
  if (options.json === true) io.out(`${JSON.stringify(outcome)}\n`);
  if (outcome.result === 'failure') {
    for (const error of outcome.errors) io.err(`${error}\n`);
    io.err(`not reloaded: the running policy (${outcome.policy.sha256.slice(0, 12)}) stays\n`);
    return 1;
  }
  for (const warning of outcome.warnings) io.err(`${warning}\n`);
  const { rules, mode, sha256 } = outcome.policy;
  const what = outcome.result === 'unchanged' ? 'unchanged' : 'reloaded';
  if (options.json !== true) io.out(`${what}: ${rules} rules, mode ${mode}, ${sha256.slice(0, 12)}\n`);
  return 0;
};
