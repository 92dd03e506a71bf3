import type { Log } from '../observe/log.ts';
import type { ServiceManager } from './service-manager.ts';

/** How often it is said how many flows are left. */
const SAY_MS = 5_000;

export interface DrainProgress {
  readonly log: Pick<Log, 'info'>;
  readonly manager: Pick<ServiceManager, 'status'> | null;
  /** What began the drain. */
  readonly trigger: string;
  readonly openFlows: () => number;
}

/** Says at intervals how many flows are left. Returns what ends that. */
export function sayWhatIsLeft({ log, manager, trigger, openFlows }: DrainProgress): () => void {
  const timer = setInterval(() => {
    const open = openFlows();
    if (open === 0) return;
    const left = `draining: ${open} ${open === 1 ? 'flow is' : 'flows are'} still open`;
    log.info(left, { event: 'drain', trigger, open_flows: open });
    manager?.status(left);
  }, SAY_MS);
  return () => clearInterval(timer);
}
