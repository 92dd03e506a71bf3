import type { Family } from '../addresses.ts';
import type { Row } from '../row.ts';

const REFUSED = 'refused by TLS alert "access denied"';

/** Rules that are for one network and not for another, and a group that is only watched. */
export function sourceRows(family: Family): Row[] {
  const { name, site, mirror, build, legacy, watched, wan } = family;
  const artifacts = { dst_ip: mirror, hostname: 'artifacts.example' };
  return [
    {
      tried: `${name}: a name that only the build network may reach, from there`,
      act: ({ build }) => build.https('artifacts.example', family),
      happens: `200 from ${mirror}`,
      decisions: [{ ...artifacts, src_ip: build, action: 'allow', rule: 'artifacts' }],
    },
    {
      tried: `${name}: the same from the legacy network`,
      act: ({ legacy }) => legacy.tls(mirror, 'artifacts.example'),
      happens: REFUSED,
      decisions: [{ ...artifacts, src_ip: legacy, state: 'NO_MATCH', action: 'deny', reason: 'not_allowed' }],
    },
    {
      tried: `${name}: the same from a group that is only watched`,
      act: ({ legacy }) => legacy.https('artifacts.example', family, { from: watched }),
      happens: `200 from ${mirror}, seen as ${wan}`,
      decisions: [
        { ...artifacts, src_ip: watched, state: 'NO_MATCH', action: 'would-deny', reason: 'not_allowed' },
      ],
    },
    {
      tried: `${name}: an allowed name said to another address, by a group that is only watched`,
      act: ({ legacy }) => legacy.https('api.example', family, { from: watched, to: mirror }),
      happens: `200 from ${mirror}, seen as ${wan}, asked for api.example`,
      decisions: [{ src_ip: watched, dst_ip: mirror, action: 'allow', dst_mismatch: true }],
    },
    {
      tried: `${name}: an allowed name from the legacy network`,
      act: ({ legacy }) => legacy.https('api.example', family),
      happens: `200 from ${site}`,
      decisions: [{ src_ip: legacy, dst_ip: site, action: 'allow', rule: 'api' }],
    },
  ];
}
