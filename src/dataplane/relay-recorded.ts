import type { Attempt } from './dial.ts';
import type { FlowRecorder } from './flow-recorder.ts';
import type { TlsWatch } from './tls-watch.ts';
import type { Wire } from './wire.ts';

/** Hands a flow to the relay, and writes its close record afterwards. Apart, so that what is kept meanwhile is not the Flow. */
export function relayRecorded<A extends Attempt>(
  wire: Wire<A>,
  record: FlowRecorder,
  onOver: () => void,
  upstream: A,
  head: Uint8Array,
  watch: TlsWatch | null,
): void {
  wire.relay(upstream, head, watch, end => {
    record.closed(end, wire.relayed, null);
    onOver();
  });
}
