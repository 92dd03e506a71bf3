import { AdminClient } from '../admin-client.ts';
import { type RunCommand, textOption } from '../command.ts';
import { CommandFailure, UsageError } from '../io.ts';

const VERDICTS: readonly unknown[] = ['allow', 'deny', 'would-deny'];

export const tail: RunCommand = async (_args, options, io) => {
  const verdict = textOption(options, 'verdict');
  if (verdict !== undefined && !VERDICTS.includes(verdict))
    throw new UsageError(`--verdict ${verdict}: no verdict (allow, deny or would-deny)`);
  const limit = readLimit(textOption(options, 'limit'));
  const admin = new AdminClient(options, io);
  const ended = new AbortController();
  io.outClosed?.addEventListener('abort', () => ended.abort(), { once: true });
  let said = 0;
  try {
    for await (const { kind, data } of admin.follow('/api/v1/events', ended.signal)) {
      if (kind === 'lagged')
        throw new CommandFailure('the daemon went on without this command: it read too slowly');
      const record = readRecord(data);
      if (record === null && (options.json === true || verdict !== undefined))
        throw new CommandFailure('the daemon logs text: --json and --verdict need log.format: json');
      if (verdict !== undefined && record?.action !== verdict) continue;
      io.out(`${options.json === true || record === null ? data : `${record.time} ${record.msg}`}\n`);
      if (++said === limit) return 0;
    }
  } catch (error) {
    if (io.outClosed?.aborted === true) return 0;
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure('the daemon has ended', { cause: error });
  } finally {
    ended.abort();
  }
  throw new CommandFailure('the daemon has ended');
};

/** Null: the line is text. */
function readRecord(line: string): Readonly<Record<string, unknown>> | null {
  return line.startsWith('{') ? JSON.parse(line) : null;
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--limit ${text}: no number from 1 up`);
}
