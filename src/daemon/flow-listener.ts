import type { Listener as ListenerConfig } from '../config/daemon-config.ts';
import type { Listener } from '../dataplane/listener.ts';

/** What flows have to know of a listener of the configuration; `gateway` signs refusals. */
export function flowListener(config: ListenerConfig, gateway: string): Listener {
  const common = {
    name: config.name,
    ...(config.proxyProtocol === null ? {} : { proxyProtocol: config.proxyProtocol }),
    ...(config.sendProxyProtocol === null ? {} : { sendProxyProtocol: config.sendProxyProtocol }),
  };
  switch (config.kind) {
    case 'explicit':
      return { ...common, kind: 'explicit', gateway };
    case 'sni':
      return { ...common, kind: 'sni', upstreamPort: config.upstreamPort };
    case 'transparent':
      return {
        ...common,
        kind: 'transparent',
        intercept: config.intercept,
        destination: config.destination,
        keepsSource: config.sourceAddress === 'keep',
      };
    default:
      return config satisfies never;
  }
}
