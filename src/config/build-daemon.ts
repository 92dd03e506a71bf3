import { dirname, resolve } from 'node:path';
import { parseHostname } from '../policy/hostname.ts';
import type { DaemonConfig, Listener } from './daemon-config.ts';
import type { DaemonInput } from './daemon-schema.ts';
import { buildProxyProtocol, proxyProtocolFaults } from './proxy-protocol-schema.ts';
import type { ValueFault } from './schema-diagnostics.ts';
import { addressesCollide, formatSocketAddress } from './socket-address.ts';

/** Holds the values of a daemon configuration against each other and puts them into the form the program uses. */
export function buildDaemonConfig(
  file: string,
  input: DaemonInput,
): { readonly config: DaemonConfig; readonly faults: readonly ValueFault[] } {
  const faults: ValueFault[] = [];
  const base = dirname(resolve(file));
  const listeners = input.listeners.map(buildListener);
  const { limits } = input;
  const config: DaemonConfig = {
    file,
    gateway: input.gateway ?? null,
    policyPath: resolve(base, input.policy),
    dataplane: input.dataplane,
    workers: input.workers,
    listeners,
    admin: {
      ...input.admin.address,
      tokenFile: input.admin.tokenFile === undefined ? null : resolve(base, input.admin.tokenFile),
      tokenFor: input.admin.tokenFor,
      hostnames: input.admin.hostnames,
    },
    log: { level: input.log.level, format: input.log.format, foldMs: input.log.fold },
    dns: { servers: input.dns.servers, hosts: buildHosts(input.dns.hosts, faults) },
    destinations: input.destinations,
    netfilter: { ...input.netfilter, user: input.netfilter.user ?? null },
    sites: {
      storePath: input.sites.store === null ? null : resolve(base, input.sites.store),
      maxSites: input.sites.maxSites,
      maxAgeMs: input.sites.maxAge,
    },
    limits: {
      flows: limits.flows,
      flowsPerSource: limits.flowsPerSource,
      undecided: limits.undecided,
      undecidedPerSource: limits.undecidedPerSource,
      lookupsPerSource: limits.lookupsPerSource,
      helloTimeoutMs: limits.helloTimeout,
      helloBytes: limits.helloBytes,
      dialTimeoutMs: limits.dialTimeout,
      idleTimeoutMs: limits.idleTimeout,
      drainTimeoutMs: limits.drainTimeout,
    },
    onDeny: input.onDeny,
    onPolicyChange: input.onPolicyChange,
  };
  checkListeners(config, faults);
  if (config.admin.tokenFor === 'all' && config.admin.tokenFile === null) {
    const message = 'there is no token that all requests could have';
    faults.push({ path: ['admin', 'tokenFor'], message, fix: 'set admin.tokenFile, or leave tokenFor out' });
  }
  for (const [i, listener] of input.listeners.entries())
    faults.push(...proxyProtocolFaults(listener, ['listeners', i]));
  if (config.netfilter.local && config.netfilter.user === null) {
    const message = 'without a user, what sallyport sends would come back to it';
    faults.push({
      path: ['netfilter', 'local'],
      message,
      fix: 'say in netfilter.user whom sallyport runs as',
    });
  }
  return { config, faults };
}

function buildListener({
  address,
  proxyProtocol,
  trusted,
  sendProxyProtocol,
  ...rest
}: DaemonInput['listeners'][number]): Listener {
  return {
    ...rest,
    ...address,
    proxyProtocol: buildProxyProtocol({ proxyProtocol, trusted }),
    sendProxyProtocol: sendProxyProtocol ?? null,
  };
}

function buildHosts(
  input: DaemonInput['dns']['hosts'],
  faults: ValueFault[],
): Record<string, readonly string[]> {
  const hosts: Record<string, readonly string[]> = {};
  for (const [text, addresses] of Object.entries(input)) {
    const path = ['dns', 'hosts', text];
    const parsed = parseHostname(text);
    if (!parsed.ok) {
      const message = `${JSON.stringify(text)} is no hostname`;
      faults.push({
        path,
        message,
        fix: 'write a full hostname, without wildcards or a trailing dot',
        atKey: true,
      });
    } else if (Object.hasOwn(hosts, parsed.hostname)) {
      faults.push({
        path,
        message: `${parsed.hostname} is listed twice`,
        fix: 'give it one list of addresses',
        atKey: true,
      });
    } else {
      hosts[parsed.hostname] = typeof addresses === 'string' ? [addresses] : addresses;
    }
  }
  return hosts;
}

function checkListeners({ listeners, admin, dataplane }: DaemonConfig, faults: ValueFault[]): void {
  for (const [i, listener] of listeners.entries()) {
    const earlier = listeners.slice(0, i);
    const sameName = earlier.findIndex(other => other.name === listener.name);
    if (sameName >= 0) {
      const message = `the name ${listener.name} is taken by listeners[${sameName}]`;
      faults.push({ path: ['listeners', i, 'name'], message, fix: 'give each listener a name of its own' });
    }
    const sameAddress = earlier.find(other => addressesCollide(other, listener));
    if (sameAddress !== undefined) {
      const message = `${formatSocketAddress(listener)} is taken by listener ${sameAddress.name}`;
      faults.push({ path: ['listeners', i, 'address'], message, fix: 'choose another port' });
    }
  }
  for (const [i, listener] of listeners.entries()) {
    if (listener.kind !== 'transparent') continue;
    if (listener.sourceAddress === 'keep' && listener.intercept !== 'tproxy') {
      const message = "the client's address can be kept only with intercept: tproxy";
      faults.push({
        path: ['listeners', i, 'sourceAddress'],
        message,
        fix: 'write own, or intercept: tproxy',
      });
    }
    if (listener.intercept === 'tproxy' && dataplane === 'portable') {
      const message = 'the portable data plane knows no tproxy';
      faults.push({ path: ['listeners', i, 'intercept'], message, fix: 'write dataplane: auto' });
    }
  }
  const taken = listeners.find(listener => addressesCollide(listener, admin));
  if (taken !== undefined) {
    const message = `${formatSocketAddress(admin)} is taken by listener ${taken.name}`;
    faults.push({ path: ['admin', 'address'], message, fix: 'choose another port' });
  }
}
