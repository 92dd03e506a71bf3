import type { Listener as ListenerConfig } from '../config/daemon-config.ts';
import type { Listener } from '../dataplane/listener.ts';

/** What a flow has to know of the listener that it came to. */
export function flowListener(config: ListenerConfig, gateway: string): Listener {
  switch (config.kind) {
    case 'explicit':
      return { kind: 'explicit', name: config.name, gateway };
    case 'sni':
      return { kind: 'sni', name: config.name, upstreamPort: config.upstreamPort };
    case 'transparent':
      return {
        kind: 'transparent',
        name: config.name,
        intercept: config.intercept,
        destination: config.destination,
        keepsSource: config.sourceAddress === 'keep',
      };
    default:
      return config satisfies never;
  }
}
