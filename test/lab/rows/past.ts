import type { Family } from '../addresses.ts';
import type { Row } from '../row.ts';

/** What no listener takes: the ruleset alone says what becomes of it. */
export function pastRows(family: Family): Row[] {
  const { name, site, mirror, metadata, build } = family;
  return [
    {
      tried: `${name}: QUIC (UDP 443)`,
      act: ({ build }) => build.udp(site, 443),
      happens: /^ECONNREFUSED after [\d.]+ ms$/,
      decisions: [],
    },
    {
      tried: `${name}: DNS over UDP`,
      act: ({ build }) => build.resolve('api.example', family),
      happens: site,
      decisions: [],
    },
    {
      tried: `${name}: other UDP (port 5000)`,
      act: ({ build }) => build.udp(site, 5000),
      happens: /^answer /,
      decisions: [],
    },
    {
      tried: `${name}: TCP to a port that no listener takes (8080)`,
      act: ({ build }) => build.http('denied.example', family, { port: 8080 }),
      happens: `200 from ${mirror}, seen as ${build}`,
      decisions: [],
    },
    {
      tried: `${name}: the metadata service, on an intercepted port`,
      act: ({ build }) => build.http('metadata', family, { to: metadata }),
      happens: `200 from ${metadata}, seen as ${build}`,
      decisions: [],
    },
  ];
}

/** The same with `strict: true`. */
export function strictRows(family: Family): Row[] {
  const { name, site, wan } = family;
  return [
    {
      tried: `${name}: TCP to a port that no listener takes (8080)`,
      act: ({ build }) => build.http('denied.example', family, { port: 8080 }),
      happens: /Connection refused|Couldn't connect/,
      decisions: [],
    },
    {
      tried: `${name}: other UDP (port 5000)`,
      act: ({ build }) => build.udp(site, 5000),
      happens: /^(EHOSTUNREACH|EACCES) after /,
      decisions: [],
    },
    {
      tried: `${name}: DNS over UDP`,
      act: ({ build }) => build.resolve('api.example', family),
      happens: site,
      decisions: [],
    },
    {
      tried: `${name}: TLS to an allowed name`,
      act: ({ build }) => build.https('api.example', family),
      happens: `200 from ${site}, seen as ${wan}`,
      decisions: [{ hostname: 'api.example', action: 'allow', rule: 'api' }],
    },
  ];
}
