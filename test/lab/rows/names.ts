import type { Family } from '../addresses.ts';
import type { Row } from '../row.ts';

const DENIED = 'refused by TLS alert "access denied"';

/** TLS, which says the name. */
export function tlsRows(family: Family): Row[] {
  const { name, site, mirror, attacker, wan, build } = family;
  const served = `200 from ${site}, seen as ${wan}, asked for api.example`;
  const toSite = { src_ip: build, dst_ip: site, dst_port: 443, hostname: 'api.example', protocol: 'tls' };
  return [
    {
      tried: `${name}: TLS to an allowed name`,
      act: ({ build }) => build.https('api.example', family),
      happens: served,
      decisions: [{ ...toSite, state: 'MATCHED', action: 'allow', rule: 'api', dst_mismatch: undefined }],
    },
    {
      tried: `${name}: TLS to a name that no rule allows`,
      act: ({ build }) => build.tls(mirror, 'denied.example'),
      happens: DENIED,
      decisions: [
        {
          src_ip: build,
          dst_ip: mirror,
          hostname: 'denied.example',
          state: 'NO_MATCH',
          action: 'deny',
          reason: 'not_allowed',
        },
      ],
    },
    {
      tried: `${name}: an allowed name said to an attacker's address`,
      act: async town => {
        const before = town.outside.seen.attacker;
        const happened = await town.build.tls(attacker, 'api.example');
        return `${happened}; the attacker saw ${town.outside.seen.attacker - before} packets`;
      },
      happens: `${served}; the attacker saw 0 packets`,
      decisions: [{ ...toSite, action: 'allow', rule: 'api', dst_mismatch: true }],
    },
    {
      tried: `${name}: a denied name said to the address of an allowed one`,
      act: ({ build }) => build.tls(site, 'denied.example'),
      happens: DENIED,
      decisions: [{ dst_ip: site, hostname: 'denied.example', action: 'deny', reason: 'not_allowed' }],
    },
    {
      tried: `${name}: an allowed name that its owner lets resolve to the metadata service`,
      act: ({ build }) => build.tls(mirror, 'trap.example'),
      happens: DENIED,
      decisions: [
        { hostname: 'trap.example', action: 'deny', reason: 'destination_forbidden', rule: 'trap' },
      ],
    },
  ];
}

/** Plain HTTP, which says it at every request. */
export function httpRows(family: Family): Row[] {
  const { name, site, build } = family;
  const allowed = { src_ip: build, hostname: 'api.example', protocol: 'http', action: 'allow', rule: 'api' };
  const denied = {
    ...allowed,
    hostname: 'denied.example',
    action: 'deny',
    reason: 'not_allowed',
    rule: null,
  };
  return [
    {
      tried: `${name}: plain HTTP, allowed and denied hosts in turn over one connection`,
      act: ({ build }) =>
        build.httpKept(site, [
          'api.example',
          'denied.example',
          'api.example',
          'denied.example',
          'api.example',
        ]),
      happens:
        /^200, 403, 200, 403, 200 over 3 connections; lab-gateway refused denied\.example(:80)?: not_allowed /,
      decisions: [allowed, denied, allowed, denied, allowed],
    },
  ];
}
