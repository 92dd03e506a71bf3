import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often the log is looked at for more. */
const LOOK_MS = 100;

/** Sums over records that are alike. */
export interface RecordSum {
  flows: number;
  bytesOut: number;
  bytesIn: number;
}

interface Decision {
  readonly listener: string;
  readonly hostname: string | null;
  readonly action: string;
  readonly reason: string | null;
  readonly protocol: string;
}

/** Reads the log of a daemon while it is written, and keeps sums of its flows' records. */
export class RecordReader {
  /** By `listener hostname action reason end`. */
  readonly flows = new Map<string, RecordSum>();
  /** By `listener protocol action reason`, as the metrics count. */
  readonly decisions = new Map<string, number>();
  readonly total: RecordSum = { flows: 0, bytesOut: 0, bytesIn: 0 };
  /** What is wrong with the records themselves; the first hundred. */
  readonly faults: string[] = [];
  /** Lines of the log that are no records of flows, by event. */
  readonly events = new Map<string, number>();
  readonly #open = new Map<string, Decision>();
  readonly #path: string;
  readonly #done: Promise<void>;
  #isOver = false;
  #read = 0;

  constructor(path: string) {
    this.#path = path;
    this.#done = this.#follow();
  }

  /** Flows that were decided and not closed yet. */
  get open(): number {
    return this.#open.size;
  }

  /** Reads to the end of what is written now, and no more. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #follow(): Promise<void> {
    let rest = '';
    for (let isLast = false; !isLast; ) {
      isLast = this.#isOver;
      for await (const chunk of createReadStream(this.#path, { start: this.#read, encoding: 'latin1' })) {
        this.#read += chunk.length;
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#take(line);
      }
      if (!isLast) await sleep(LOOK_MS);
    }
    if (rest !== '') this.#fault(`the log ends inside a line: ${rest}`);
  }

  #take(line: string): void {
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(line);
    } catch {
      return this.#fault(`no JSON: ${line}`);
    }
    if (record.event === 'decision') this.#decided(record);
    else if (record.event === 'close') this.#closed(record);
    else count(this.events, `${record.level} ${record.event}`);
  }

  #decided(record: Record<string, unknown>): void {
    const flow = String(record.flow);
    if (this.#open.has(flow)) this.#fault(`flow ${flow} was decided twice`);
    const decision: Decision = {
      listener: String(record.listener),
      hostname: textOrNull(record.hostname),
      action: String(record.action),
      reason: textOrNull(record.reason),
      protocol: String(record.protocol),
    };
    this.#open.set(flow, decision);
    count(
      this.decisions,
      `${decision.listener} ${decision.protocol} ${decision.action} ${decision.reason ?? 'none'}`,
    );
  }

  #closed(record: Record<string, unknown>): void {
    const flow = String(record.flow);
    const decision = this.#open.get(flow);
    if (decision === undefined) return this.#fault(`flow ${flow} was closed without a decision, or twice`);
    this.#open.delete(flow);
    const { listener, hostname, action, reason } = decision;
    const key = flowKey({ listener, hostname, action, reason, end: String(record.end) });
    const sum = this.flows.get(key) ?? { flows: 0, bytesOut: 0, bytesIn: 0 };
    this.flows.set(key, sum);
    for (const each of [sum, this.total]) {
      each.flows++;
      each.bytesOut += Number(record.bytes_out);
      each.bytesIn += Number(record.bytes_in);
    }
  }

  #fault(text: string): void {
    if (this.faults.length < 100) this.faults.push(text);
  }
}

/** What makes flows alike. The many names of one kind are one. */
export function flowKey(flow: {
  listener: string;
  hostname: string | null;
  action: string;
  reason: string | null;
  end: string;
}): string {
  const hostname = flow.hostname?.replace(/^fail-\d+\./, 'fail-*.') ?? '-';
  return `${flow.listener} ${hostname} ${flow.action} ${flow.reason ?? '-'} ${flow.end}`;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
