import type { Contestant } from './proxies/contestant.ts';
import {
  HAPROXY_DEFAULT,
  HAPROXY_LOGGING,
  HAPROXY_RELAY,
  HAPROXY_TUNED,
  NGINX_DEFAULT,
  NGINX_TUNED,
  SNIPROXY_DEFAULT,
  SNIPROXY_QUIET,
} from './proxies/peers.ts';
import { sallyport } from './proxies/sallyport.ts';
import type { Section } from './report/section.ts';
import { measureShortFlows } from './scenarios/short-flows.ts';
import type { Stage } from './stage.ts';

/** A part of the bench, which can be run alone. */
export interface Part {
  readonly name: string;
  readonly summary: string;
  readonly run: (stage: Stage) => Promise<Section>;
}

const EPOLL_ENFORCE = sallyport({ dataplane: 'epoll', mode: 'enforce' });
const EPOLL_OBSERVE = sallyport({ dataplane: 'epoll', mode: 'observe' });
const PORTABLE_ENFORCE = sallyport({ dataplane: 'portable', mode: 'enforce' });
const PORTABLE_OBSERVE = sallyport({ dataplane: 'portable', mode: 'observe' });

const CONNECT: readonly Contestant[] = [
  sallyport({ dataplane: 'epoll', mode: 'enforce', opening: 'connect' }),
  sallyport({ dataplane: 'epoll', mode: 'observe', opening: 'connect' }),
  sallyport({ dataplane: 'portable', mode: 'enforce', opening: 'connect' }),
  HAPROXY_RELAY,
];

/** In the order of the report. */
export const PARTS: readonly Part[] = [
  {
    name: 'short',
    summary: 'short flows: CPU a flow, flows a second, latency; everyone at their best',
    run: async stage => ({
      title: 'Short flows',
      text: 'Connect, a ClientHello of 517 bytes, an answer of 1 KiB, close. sallyport with everything on (two log records a flow, metrics, sites), the peers tuned and without a log.',
      tables: await measureShortFlows(stage, {
        proxies: [EPOLL_ENFORCE, EPOLL_OBSERVE, HAPROXY_TUNED, NGINX_TUNED, SNIPROXY_QUIET],
        isSerious: isEpollOrPeer,
      }),
    }),
  },
  {
    name: 'variants',
    summary: 'short flows: the portable data plane, peers as they come, HAProxy with a log',
    run: async stage => ({
      title: 'Short flows, other configurations',
      text: 'As above; the peers with the configurations of their manuals, and HAProxy with a log line a flow.',
      tables: await measureShortFlows(stage, {
        proxies: [
          EPOLL_ENFORCE,
          PORTABLE_ENFORCE,
          PORTABLE_OBSERVE,
          HAPROXY_DEFAULT,
          HAPROXY_LOGGING,
          NGINX_DEFAULT,
          SNIPROXY_DEFAULT,
        ],
        isSerious: isEpollOrPeer,
      }),
    }),
  },
  {
    name: 'connect',
    summary: 'short flows through CONNECT, beside HAProxy as a relay',
    run: async stage => ({
      title: 'CONNECT',
      text: 'A CONNECT and its answer go before the hello. None of the peers can be the proxy that a CONNECT is meant for, so HAProxy relays the same conversation without a look, and the backend answers the CONNECT: the floor, not a filter.',
      tables: await measureShortFlows(stage, {
        proxies: CONNECT,
        isSerious: isEpollOrPeer,
        opening: 'connect',
      }),
    }),
  },
];

function isEpollOrPeer({ name }: Contestant): boolean {
  return !name.includes('portable');
}
