import { describe, expect, it } from 'vitest';
import { type AuditEntry, AuditTrail } from '../../src/observe/audit.ts';
import { createLog, type LogFormat } from '../../src/observe/log.ts';
import { MemoryDestination } from './support.ts';

const APPLIED: AuditEntry = {
  action: 'mode',
  dryRun: false,
  result: 'applied',
  refusal: null,
  peer: '127.0.0.1:5',
  auth: 'token',
  user: 'ann',
  before: 'b'.repeat(64),
  after: 'a'.repeat(64),
  added: 1,
  removed: 2,
  changes: ['mode observe -> enforce'],
};
const REFUSED: AuditEntry = {
  ...APPLIED,
  result: 'refused',
  refusal: 'a bearer token is needed',
  auth: 'none',
};

function trailOf(format: LogFormat = 'json') {
  const destination = new MemoryDestination();
  const clock = { now: 0 };
  const log = createLog({ level: 'error', format, gateway: 'gw', destination, now: () => clock.now });
  return { trail: new AuditTrail(log, () => clock.now), clock, lines: destination.lines };
}

describe('the audit trail', () => {
  it('says who changed what, at a log level that leaves everything else out', () => {
    const { trail, lines } = trailOf();
    trail.record(APPLIED);
    expect(lines.map(line => JSON.parse(line))).toEqual([
      {
        level: 'info',
        time: '1970-01-01T00:00:00.000Z',
        event: 'audit',
        gateway: 'gw',
        action: 'mode',
        dry_run: false,
        result: 'applied',
        refusal: null,
        peer: '127.0.0.1:5',
        auth: 'token',
        claimed_user: 'ann',
        old_sha256: 'b'.repeat(64),
        new_sha256: 'a'.repeat(64),
        lines_added: 1,
        lines_removed: 2,
        changes: ['mode observe -> enforce'],
        msg: 'mode applied for ann at 127.0.0.1:5',
      },
    ]);
  });

  it.each(['json', 'text'] as const)('cannot be made to say more lines, or without end: %s', format => {
    const { trail, lines } = trailOf(format);
    const hostile = `x" event=audit\r\n{"event":"audit"}\u2028\u001b[2J${'y'.repeat(100_000)}`;
    trail.record({ ...REFUSED, user: hostile, action: hostile, refusal: hostile, changes: [hostile] });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.length).toBeLessThan(5_000);
    expect(lines[0]?.trimEnd()).not.toMatch(format === 'text' ? /[^ -~]/ : /\p{Cc}/u);
  });

  it('counts refusals beyond twenty a minute, and says how many were left out', () => {
    const { trail, clock, lines } = trailOf();
    for (let i = 0; i < 30; i++) trail.record(REFUSED);
    expect(lines).toHaveLength(20);
    trail.record(APPLIED);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ result: 'applied', suppressed: 10 });
    trail.record(REFUSED);
    expect(lines).toHaveLength(21);
    clock.now = 60_000;
    trail.record(REFUSED);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ result: 'refused', suppressed: 1 });
  });

  it('never leaves out a change that was made', () => {
    const { trail, lines } = trailOf();
    for (let i = 0; i < 100; i++) trail.record(APPLIED);
    expect(lines).toHaveLength(100);
  });
});
