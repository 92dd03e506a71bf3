import { z } from 'zod';
import { Cidr } from '../policy/address.ts';
import { cidr } from './address-scalars.ts';
import type { ProxyProtocolConfig } from './daemon-config.ts';
import type { DocumentPath } from './diagnostics.ts';
import type { ValueFault } from './schema-diagnostics.ts';

/** The keys of every listener that are about the PROXY protocol. */
export const proxyProtocolKeys = {
  proxyProtocol: z
    .enum(['accept', 'require'])
    .optional()
    .describe(
      'PROXY protocol (v1 or v2) from the peers in `trusted`: what it says of the client counts. accept: they may send it; require: they must, and others are refused. Absent: it is not read.',
    ),
  trusted: z
    .array(cidr)
    .min(1)
    .meta({ examples: [['10.0.1.0/24']] })
    .optional()
    .describe(
      'Who may send the PROXY protocol: the addresses of the load balancers, and of nobody else. Whoever is in here can pass for any client.',
    ),
  sendProxyProtocol: z
    .enum(['v1', 'v2'])
    .optional()
    .describe(
      "Tell upstreams the client's address by a PROXY protocol header of this version, before its first bytes. All hosts that are reached by this listener must expect it.",
    ),
} as const;

/** The values of these keys. */
export interface ProxyProtocolInput {
  readonly proxyProtocol?: 'accept' | 'require' | undefined;
  readonly trusted?: readonly string[] | undefined;
}

export function buildProxyProtocol({
  proxyProtocol,
  trusted,
}: ProxyProtocolInput): ProxyProtocolConfig | null {
  return proxyProtocol === undefined || trusted === undefined ? null : { mode: proxyProtocol, trusted };
}

/** What the values say when held against each other; `path`: of the listener. */
export function proxyProtocolFaults(
  { proxyProtocol, trusted }: ProxyProtocolInput,
  path: DocumentPath,
): ValueFault[] {
  if (proxyProtocol !== undefined && trusted === undefined) {
    const message = 'without trusted, nobody may send the header';
    const fix = 'add trusted: [10.0.1.0/24], the addresses of the load balancers';
    return [{ path: [...path, 'proxyProtocol'], message, fix }];
  }
  if (proxyProtocol === undefined && trusted !== undefined) {
    const message = 'has no meaning without proxyProtocol';
    return [{ path: [...path, 'trusted'], message, fix: 'add proxyProtocol: require, or remove it' }];
  }
  return (trusted ?? []).flatMap((text, i) => {
    if (Cidr.parse(text)?.prefix !== 96 && Cidr.parse(text)?.prefix !== 0) return [];
    const message = `${text} trusts everybody: whoever connects could pass for any client`;
    return [{ path: [...path, 'trusted', i], message, fix: 'write the addresses of the load balancers' }];
  });
}
