import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sayWhatIsLeft } from '../../src/daemon/drain-progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('says every five seconds how many flows are left, until it is ended', () => {
  let open = 12;
  const said: string[] = [];
  const end = sayWhatIsLeft({
    log: { info: text => said.push(text) },
    manager: { status: text => said.push(`to the manager: ${text}`) },
    trigger: 'SIGTERM',
    openFlows: () => open,
  });
  vi.advanceTimersByTime(5_000);
  open = 1;
  vi.advanceTimersByTime(5_000);
  open = 0;
  vi.advanceTimersByTime(5_000);
  open = 3;
  end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([
    'draining: 12 flows are still open',
    'to the manager: draining: 12 flows are still open',
    'draining: 1 flow is still open',
    'to the manager: draining: 1 flow is still open',
  ]);
});
