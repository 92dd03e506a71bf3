import type { LogLine } from './lab-daemon.ts';
import type { RowResult } from './row.ts';

/** A row as it is told: what was tried and what happened in a line, then a line for each decision record and each fault. */
export function reportRow({ row, happened, decisions, skipped, faults }: RowResult): string {
  if (skipped !== null) return `skip  ${row.tried}: ${skipped}\n`;
  const lines = [
    `${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${row.tried}: ${happened}`,
    ...decisions.map(record => `      ${reportRecord(record)}`),
    ...faults.map(fault => `      !! ${fault}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The key fields of a decision record. */
function reportRecord(record: LogLine): string {
  const {
    src_ip,
    dst_ip,
    dst_port,
    hostname,
    protocol,
    state,
    action,
    reason,
    rule,
    dst_mismatch,
    vpc_endpoint,
  } = record;
  const fields = Object.entries({ reason, rule, dst_mismatch, vpc_endpoint }).filter(
    ([, value]) => value != null,
  );
  const why = fields.map(([key, value]) => `${key}=${value}`);
  return [state, action, ...why, protocol, hostname ?? '-', `${src_ip} -> ${dst_ip ?? '-'} ${dst_port}`].join(
    ' ',
  );
}
