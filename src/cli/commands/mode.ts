import type { ModeEdit } from '../../config/policy-edit.ts';
import { changePolicy } from '../change-policy.ts';
import { type RunCommand, textOption } from '../command.ts';
import { UsageError } from '../io.ts';

export const mode: RunCommand = async ([to = ''], options, io) => {
  if (to !== 'observe' && to !== 'enforce') {
    throw new UsageError(`mode ${to}: no such mode (mode observe, mode enforce)`);
  }
  const source = textOption(options, 'source') ?? null;
  const until = textOption(options, 'until') ?? null;
  if (until !== null && (to === 'enforce' || source !== null)) {
    throw new UsageError('--until goes with mode observe for the whole policy: it sets observeUntil');
  }
  const edit: ModeEdit = { kind: 'mode', mode: to, source, until };
  const body = { mode: to, source, until, force: options.force === true };
  return changePolicy(edit, { path: '/api/v1/mode', body }, options, io);
};
