import { type DescriptorReport, descriptorLimit } from '../dataplane/descriptors.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';

/** Says when the data plane stops accepting for want of descriptors, and when it goes on: once each. */
export function descriptorReports(log: Log, metrics: Metrics): (report: DescriptorReport) => void {
  // Once there are none left, it cannot be read.
  const limit = descriptorLimit();
  let wasPaused = false;
  return ({ isPaused, shed }) => {
    metrics.accepting(!isPaused);
    if (shed > 0) metrics.limitReached('descriptors', shed);
    if (isPaused === wasPaused) return;
    wasPaused = isPaused;
    if (isPaused) {
      log.warn(
        `not accepting: nearly all of ${limit} descriptors are in use (raise LimitNOFILE or ulimit -n, or lower limits.flows)`,
        { event: 'accept_paused', descriptors: limit },
      );
    } else {
      log.info('accepting again: descriptors are free', { event: 'accept_resumed', descriptors: limit });
    }
  };
}
