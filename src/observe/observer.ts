import type { CloseEvent, DecisionEvent, FlowObserver } from '../dataplane/events.ts';

/**
 * One observer that tells all of `subscribers`, in order. One that throws does not keep the others from being
 * told; `onFault` hears of its first fault only, so that a broken subscriber cannot flood the log.
 */
export function fanOut(
  subscribers: readonly FlowObserver[],
  onFault: (subscriber: FlowObserver, error: unknown) => void,
): FlowObserver {
  const faulty = new Set<FlowObserver>();

  function tellAll(tell: (subscriber: FlowObserver) => void): void {
    for (const subscriber of subscribers) {
      try {
        tell(subscriber);
      } catch (error) {
        if (faulty.has(subscriber)) continue;
        faulty.add(subscriber);
        onFault(subscriber, error);
      }
    }
  }

  return {
    decided(event: DecisionEvent): void {
      tellAll(subscriber => subscriber.decided(event));
    },
    closed(event: CloseEvent): void {
      tellAll(subscriber => subscriber.closed(event));
    },
  };
}
