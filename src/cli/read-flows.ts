import { LogError } from '../flow-log/log-file.ts';
import { type LogProgress, type LogRead, readLogs } from '../flow-log/read-logs.ts';
import type { SeenFlow } from '../policy/seen-flow.ts';
import { parsePort } from '../sniff/target.ts';
import { type Options, textOption } from './command.ts';
import { CommandFailure, type Io, UsageError } from './io.ts';
import { Progress } from './progress.ts';

const DEFAULT_PORT = 443;

/** What was read of the logs that a command names. */
export interface FlowsRead {
  readonly logs: readonly LogRead[];
  readonly records: number;
}

/**
 * Reads the logs that `--from` names, `--port` standing in where a record names none; says on the way how far it is,
 * and at the end what could not be read. Throws CommandFailure when a log cannot be opened, or none holds a decision.
 */
export async function readFlows(
  names: readonly string[],
  options: Options,
  io: Io,
  visit: (flow: SeenFlow) => void,
): Promise<FlowsRead> {
  if (names.filter(name => name === '-').length > 1)
    throw new UsageError('--from - stands twice: standard input can be read once');
  const portText = textOption(options, 'port');
  const defaultPort = portText === undefined ? DEFAULT_PORT : parsePort(portText);
  if (defaultPort === null) throw new UsageError(`--port ${portText}: no port from 1 to 65535`);
  const progress = new Progress(io);
  const logs = await readLogs(names, {
    stdin: io.stdin,
    defaultPort,
    visit,
    onProgress: current => progress.say(() => describeProgress(current)),
  }).catch((error: unknown) => {
    throw error instanceof LogError ? new CommandFailure(error.message, { cause: error }) : error;
  });
  progress.end();
  for (const log of logs) for (const line of complaints(log, defaultPort)) io.err(`${line}\n`);
  const records = logs.reduce((sum, log) => sum + log.records, 0);
  if (records === 0) {
    throw new CommandFailure(
      `no decision record in ${logs.map(({ name }) => name).join(', ')} (a log of sallyport, or one with S_IP=, hostname= and state= in its lines?)`,
    );
  }
  return { logs, records };
}

function describeProgress({ records, bytesRead, bytesInAll }: LogProgress): string {
  const share =
    bytesInAll === null || bytesInAll === 0
      ? `${Math.floor(bytesRead / 1e6)} MB`
      : `${Math.floor((100 * bytesRead) / bytesInAll)} %`;
  return `reading: ${share}, ${records} decisions`;
}

function complaints({ name, failure, broken, faults, portsAssumed }: LogRead, port: number): string[] {
  const lines: string[] = [];
  if (failure !== null) lines.push(`${name}: ${failure}: only what comes before is counted`);
  for (const { line, why } of faults) lines.push(`${name}:${line}: not read: ${why}`);
  if (broken > faults.length) lines.push(`${name}: ${broken - faults.length} more lines could not be read`);
  if (portsAssumed > 0)
    lines.push(`${name}: ${portsAssumed} records name no port: taken for ${port} (--port says another)`);
  return lines;
}
