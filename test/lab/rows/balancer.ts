import { FAMILIES, type Family } from '../addresses.ts';
import { ENDPOINT } from '../gateway-config.ts';
import { balancerObstacle } from '../load-balancer.ts';
import type { Row } from '../row.ts';

/** An explicit listener behind a load balancer, which says by PROXY protocol whose flow it is. */
export function balancerRows(family: Family): Row[] {
  const { name, tenant, balancer, balancerGateway, build, buildGateway } = family;
  const obstacle = balancerObstacle();
  const told = { listener: 'balanced', src_ip: tenant };
  const forTenant = { ...told, hostname: 'tenant.example' };
  return [
    {
      tried: `${name}: through HAProxy, which says who the client is`,
      obstacle,
      act: town => town.tenant.httpsByProxy('api.example', balancer, { from: tenant }),
      happens: fromEither(({ site }) => site),
      decisions: [{ ...told, hostname: 'api.example', action: 'allow', rule: 'api' }],
    },
    {
      tried: `${name}: through HAProxy, to a name that is only for clients of a VPC endpoint`,
      obstacle,
      act: town => town.tenant.httpsByProxy('tenant.example', balancer, { from: tenant }),
      happens: '403',
      decisions: [{ ...forTenant, action: 'deny', reason: 'not_allowed' }],
    },
    {
      tried: `${name}: the same by a load balancer that names the VPC endpoint`,
      act: town => town.tenant.viaEndpoint('tenant.example', balancerGateway, tenant, ENDPOINT),
      happens: fromEither(({ mirror }) => mirror),
      decisions: [{ ...forTenant, vpc_endpoint: ENDPOINT, action: 'allow', rule: 'tenant' }],
    },
    {
      tried: `${name}: the same by one that names another VPC endpoint`,
      act: town =>
        town.tenant.viaEndpoint('tenant.example', balancerGateway, tenant, 'vpce-0123456789abcdef0'),
      happens: '403',
      decisions: [
        { ...forTenant, vpc_endpoint: 'vpce-0123456789abcdef0', action: 'deny', reason: 'not_allowed' },
      ],
    },
    {
      tried: `${name}: a client that plays the load balancer`,
      act: town => town.build.viaEndpoint('tenant.example', buildGateway, tenant, ENDPOINT),
      happens: /^(ECONNRESET|)$/,
      decisions: [{ listener: 'balanced', src_ip: build, action: 'deny', reason: 'untrusted_peer' }],
    },
    {
      tried: `${name}: the load balancer without a word about its client`,
      act: town => town.tenant.httpsByProxy('api.example', balancerGateway),
      happens: /curl: /,
      decisions: [
        { listener: 'balanced', src_ip: balancer, action: 'deny', reason: 'malformed_proxy_header' },
      ],
    },
  ];
}

/** A proxy that was given a name is free to dial it by either family. */
function fromEither(pick: (family: Family) => string): RegExp {
  return new RegExp(`^200 from (${FAMILIES.map(pick).join('|')}), `);
}
