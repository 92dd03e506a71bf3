import { asUser } from '../../support/lab-udp.ts';
import type { Family } from '../addresses.ts';
import type { Intercept } from '../gateway-config.ts';
import type { Row } from '../row.ts';
import { OWN_UID } from '../town.ts';

/** Somebody else on the gateway. */
const SOMEBODY = ['setpriv', ...asUser(65_534, [])];
const SALLYPORT = ['setpriv', ...asUser(OWN_UID, [])];

/** What the gateway sends itself. */
export function ownTrafficRows(family: Family): Row[] {
  const { name, mirror, wan } = family;
  return [
    {
      tried: `${name}: a user of the gateway itself, to a name that no rule allows`,
      act: ({ gateway }) => gateway.https('denied.example', family, { as: SOMEBODY }),
      happens: `200 from ${mirror}, seen as ${wan}`,
      decisions: [],
    },
  ];
}

/** The same with `--local`. */
export function localRows(family: Family): Row[] {
  const { name, site, mirror } = family;
  return [
    {
      tried: `${name}: with --local, a user of the gateway to a name that no rule allows`,
      act: ({ gateway }) => gateway.https('denied.example', family, { as: SOMEBODY }),
      happens: 'alert access denied',
      decisions: [{ dst_ip: mirror, hostname: 'denied.example', action: 'deny', reason: 'not_allowed' }],
    },
    {
      tried: `${name}: with --local, a user of the gateway to an allowed name`,
      act: ({ gateway }) => gateway.https('api.example', family, { as: SOMEBODY }),
      happens: `200 from ${site}`,
      decisions: [{ dst_ip: site, hostname: 'api.example', action: 'allow' }],
    },
    {
      tried: `${name}: with --local, whoever runs as sallyport's own user goes past`,
      act: ({ gateway }) => gateway.https('denied.example', family, { as: SALLYPORT }),
      happens: `200 from ${mirror}`,
      decisions: [],
    },
  ];
}

/** By what is loaded for the rows of `localRows`, or why it cannot be. */
export function loadLocalRow(intercept: Intercept): Row {
  const words = 'the ruleset with --local';
  if (intercept === 'redirect') {
    return {
      tried: `${words} loads`,
      act: town => town.loadRuleset('--local').then(() => 'loaded'),
      happens: 'loaded',
      decisions: [],
    };
  }
  return {
    tried: `${words} is refused, as tproxy cannot do it`,
    act: town => town.loadRuleset('--local').then(() => 'loaded', String),
    happens: 'what this host sends cannot be led there by tproxy (write intercept: redirect)',
    decisions: [],
  };
}
