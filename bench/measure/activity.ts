import { startBusyClock } from './busy.ts';
import { type CpuTime, startCpuClock, totalOf } from './cpu.ts';

/** Who used the cores while something was measured. Shares are of one core's time. */
export interface Activity {
  /** Null without a proxy. */
  readonly proxy: CpuTime | null;
  readonly proxyShare: number;
  /** Load and backend together. */
  readonly loadShare: number;
  /** Whoever was neither: other programs on this machine. */
  readonly othersShare: number;
}

export interface Cast {
  readonly proxy: number | null;
  readonly load: readonly number[];
  /** The cores of all of them. */
  readonly cores: readonly number[];
}

/** Measures from now on: the returned function says what went on since. */
export function startActivityClock({ proxy, load, cores }: Cast): () => Activity {
  const begunMs = performance.now();
  const busySince = startBusyClock(cores);
  const proxySince = proxy === null ? null : startCpuClock(proxy);
  const loadSince = load.map(startCpuClock);
  return () => {
    const seconds = (performance.now() - begunMs) / 1000;
    const busy = busySince();
    const used = proxySince?.() ?? null;
    const proxySeconds = used === null ? 0 : totalOf(used);
    const loadSeconds = loadSince.reduce((sum, since) => sum + totalOf(since()), 0);
    return {
      proxy: used,
      proxyShare: proxySeconds / seconds,
      loadShare: loadSeconds / seconds,
      othersShare: Math.max(0, busy - proxySeconds - loadSeconds) / seconds,
    };
  };
}
