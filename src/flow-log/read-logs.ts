import type { Readable } from 'node:stream';
import type { SeenFlow } from '../policy/seen-flow.ts';
import { describeLogFault, isLogFault } from './log-fault.ts';
import { openLog } from './log-file.ts';
import { LogLines, type LogSummary } from './log-lines.ts';
import { TextPool } from './text-pool.ts';

/** A log that was read. */
export interface LogRead extends LogSummary {
  readonly name: string;
  /** Why it could not be read to its end; null when it was. */
  readonly failure: string | null;
}

export interface LogProgress {
  readonly records: number;
  readonly bytesRead: number;
  /** Of all logs; null where one of them does not tell. */
  readonly bytesInAll: number | null;
}

export interface ReadLogsOptions {
  readonly stdin: Readable;
  /** The port of records that name none. */
  readonly defaultPort: number;
  readonly visit: (flow: SeenFlow) => void;
  readonly onProgress: (progress: LogProgress) => void;
}

/**
 * Reads logs one after the other, in the order named. Rejects with LogError before anything is read when one cannot be
 * opened; one that ends badly is told in the results, and what was read of it stands.
 */
export async function readLogs(names: readonly string[], options: ReadLogsOptions): Promise<LogRead[]> {
  const { stdin, defaultPort, visit, onProgress } = options;
  const logs = await Promise.all(names.map(name => openLog(name, stdin)));
  const bytesInAll = logs.reduce<number | null>(
    (sum, { bytes }) => (sum === null || bytes === null ? null : sum + bytes),
    0,
  );
  const pool = new TextPool();
  const results: LogRead[] = [];
  let bytesRead = 0;
  let records = 0;
  for (const log of logs) {
    const lines = new LogLines(visit, defaultPort, pool);
    let failure: string | null = null;
    try {
      for await (const chunk of log.chunks(bytes => {
        bytesRead += bytes;
      })) {
        lines.push(chunk);
        onProgress({ records: records + lines.summary.records, bytesRead, bytesInAll });
      }
    } catch (error) {
      if (!isLogFault(error)) throw error;
      failure = describeLogFault(error);
    }
    lines.end();
    records += lines.summary.records;
    results.push({ name: log.name, ...lines.summary, failure });
  }
  return results;
}
