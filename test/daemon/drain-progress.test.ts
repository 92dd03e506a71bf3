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
  const end = sayWhatIsLeft(
    () => open,
    text => said.push(text),
  );
  vi.advanceTimersByTime(5_000);
  open = 1;
  vi.advanceTimersByTime(5_000);
  open = 0;
  vi.advanceTimersByTime(5_000);
  open = 3;
  end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(['12 flows are still open', '1 flow is still open']);
});
