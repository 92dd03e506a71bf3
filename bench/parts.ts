import type { Contestant } from './proxies/contestant.ts';
import {
  HAPROXY_DEFAULT,
  HAPROXY_GATEWAY,
  HAPROXY_LOGGING,
  HAPROXY_RELAY,
  HAPROXY_TUNED,
  HAPROXY_TWO_THREADS,
  NGINX_DEFAULT,
  NGINX_TUNED,
  SNIPROXY_DEFAULT,
  SNIPROXY_QUIET,
} from './proxies/peers.ts';
import { sallyport, sallyportAsItComes, sallyportGateway } from './proxies/sallyport.ts';
import type { Section } from './report/section.ts';
import { measureBulk } from './scenarios/bulk.ts';
import { measureConcurrency } from './scenarios/concurrency.ts';
import { measureGateway } from './scenarios/gateway.ts';
import { measureIdleFlows } from './scenarios/idle-flows.ts';
import { measureNoCliff } from './scenarios/no-cliff.ts';
import { measureOverload } from './scenarios/overload.ts';
import { measurePolicies } from './scenarios/policies.ts';
import { measureShortFlows } from './scenarios/short-flows.ts';
import { measureStartUp } from './scenarios/start-up.ts';
import { measureSystemCalls } from './scenarios/system-calls.ts';
import { measureTls } from './scenarios/tls.ts';
import { measureWorkers } from './scenarios/workers.ts';
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

const BEST: readonly Contestant[] = [
  EPOLL_ENFORCE,
  HAPROXY_TUNED,
  NGINX_TUNED,
  SNIPROXY_QUIET,
  PORTABLE_ENFORCE,
];

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
        loads: [0.5],
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
  {
    name: 'gateway',
    summary: 'short flows through a transparent listener, between network namespaces (needs root and nft)',
    run: async stage => ({
      title: 'Transparent gateway',
      text: 'Three network namespaces in a row over veth pairs, client – gateway – server; nftables redirects port 443 to the proxy. sallyport resolves the name and dials what it resolved; HAProxy dials what the client dialled; nginx knows one address for the name. "No proxy" is plain routing through the same gateway. A packet over veth is worked on by whoever sends it, so shares of cores differ from those over loopback.',
      tables: await measureGateway(stage, {
        proxies: [sallyportGateway('enforce'), sallyportGateway('observe'), HAPROXY_GATEWAY, NGINX_TUNED],
        isSerious: isEpollOrPeer,
      }),
    }),
  },
  {
    name: 'tls',
    summary: 'real TLS 1.3 handshakes, full and resumed: what a proxy adds',
    run: async stage => ({
      title: 'Real TLS',
      text: 'TLS 1.3 (node:tls at both ends, ECDSA P-256), a request of 64 bytes, an answer of 1 KiB, close. Client and server share the other core and are the limit here, so handshakes a second say little about the proxy; its CPU and the latency it adds do.',
      tables: await measureTls(stage, BEST),
    }),
  },
  {
    name: 'bulk',
    summary: 'one flow with 2 GiB, down and up: CPU a GB, GB a second',
    run: async stage => ({
      title: 'Bulk',
      text: 'The load discards what it receives in the kernel, so that it is not the one to be measured.',
      tables: await measureBulk(stage, [
        EPOLL_ENFORCE,
        HAPROXY_TUNED,
        HAPROXY_DEFAULT,
        NGINX_TUNED,
        NGINX_DEFAULT,
        SNIPROXY_QUIET,
        PORTABLE_ENFORCE,
      ]),
    }),
  },
  {
    name: 'idle',
    summary: 'memory at 0, 1 000 and 5 000 idle flows',
    run: async stage => ({
      title: 'Idle flows',
      text: 'After 20 000 short flows: flows that had their answer and say nothing more. The kernel keeps the sockets; that is the same for all and not counted.',
      tables: await measureIdleFlows(stage, BEST),
    }),
  },
  {
    name: 'start',
    summary: 'start to ready',
    run: async stage => ({
      title: 'Start',
      text: 'On one core, with warm file caches.',
      tables: await measureStartUp(stage, BEST),
    }),
  },
  {
    name: 'workers',
    summary: 'two workers against one, on two cores',
    run: async stage => ({
      title: 'Workers',
      text: 'With only two cores the load shares them with the proxy, so two workers cannot carry twice as much here; what can be said is whether a flow costs the same, and whether the kernel spreads flows evenly.',
      tables: await measureWorkers(stage, [
        {
          name: 'sallyport epoll, enforce',
          one: EPOLL_ENFORCE,
          two: sallyport({ dataplane: 'epoll', mode: 'enforce', workers: 2 }),
        },
        { name: 'haproxy, tuned', one: HAPROXY_TUNED, two: HAPROXY_TWO_THREADS },
      ]),
    }),
  },
  {
    name: 'cliff',
    summary: 'latency while policies load, metrics are read, the log is stuck, garbage is collected',
    run: async stage => ({
      title: 'No cliff',
      text: 'The proxy has one core for everything, so that whatever its main thread does beside competes with the flows.',
      tables: await measureNoCliff(stage, HAPROXY_TUNED),
    }),
  },
  {
    name: 'policies',
    summary: 'policies of 10 to 100 000 rules and of 1 000 source groups: decide, load, check, swap',
    run: measurePolicies,
  },
  {
    name: 'concurrency',
    summary: 'flows a second with 1 to 5 000 flows at a time',
    run: async stage => ({
      title: 'Concurrency',
      text: 'Closed loop: is there a cliff?',
      tables: await measureConcurrency(stage, [EPOLL_ENFORCE, HAPROXY_TUNED, NGINX_TUNED]),
    }),
  },
  {
    name: 'overload',
    summary: 'fresh flows while others attack: slow heads, silence, random names, no reading, resets',
    run: async stage => ({
      title: 'Overload',
      text: 'sallyport with the limits and the folding that it comes with, a fresh process for each attack. Attackers come from other loopback addresses; slow and silent ones come again five seconds after they were reset. They share the core of the load.',
      tables: await measureOverload(stage, sallyportAsItComes('epoll')),
    }),
  },
  {
    name: 'calls',
    summary: 'system calls a short flow, by name',
    run: async stage => ({
      title: 'System calls',
      text: 'Counted by strace, which slows everything down: some calls are made less often at speed, where one wake-up serves several flows.',
      tables: await measureSystemCalls(stage, BEST),
    }),
  },
];

function isEpollOrPeer({ name }: Contestant): boolean {
  return !name.includes('portable');
}
