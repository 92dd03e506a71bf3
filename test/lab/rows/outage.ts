import type { Family } from '../addresses.ts';
import type { Row } from '../row.ts';

const REFUSED = /Connection refused|Couldn't connect|reset/;

/** While the daemon is away. */
export function outageRows(family: Family): Row[] {
  const { name, site } = family;
  return [
    {
      tried: `${name}: without the daemon, TLS`,
      act: ({ build }) => build.https('api.example', family),
      happens: REFUSED,
      decisions: [],
    },
    {
      tried: `${name}: without the daemon, plain HTTP`,
      act: ({ build }) => build.http('api.example', family),
      happens: REFUSED,
      decisions: [],
    },
    {
      tried: `${name}: without the daemon, TLS of a group that is only watched`,
      act: ({ legacy }) => legacy.https('api.example', family, { from: family.watched }),
      happens: REFUSED,
      decisions: [],
    },
    {
      tried: `${name}: without the daemon, OpenSSH`,
      act: ({ build }) => build.ssh('git.example', family),
      happens: REFUSED,
      decisions: [],
    },
    {
      tried: `${name}: without the daemon, QUIC`,
      act: ({ build }) => build.udp(site, 443),
      happens: /^ECONNREFUSED/,
      decisions: [],
    },
  ];
}

export const stopRow: Row = {
  tried: 'the daemon is stopped',
  act: ({ daemon }) => daemon.stop().then(() => 'stopped'),
  happens: 'stopped',
  decisions: [],
};

export const withoutCapabilityRow: Row = {
  tried: 'the daemon is started without the capability of tproxy.conf',
  act: ({ daemon }) => daemon.startWithoutCapabilities(),
  happens: /^exit 1: .*tproxy needs CAP_NET_RAW/,
  decisions: [],
};

export const startRow: Row = {
  tried: 'the daemon is started again',
  act: town => town.startDaemon().then(() => 'ready'),
  happens: 'ready',
  decisions: [],
};
