import { z } from 'zod';
import { cidr } from './address-scalars.ts';
import { port } from './port.ts';
import { type ScalarResult, scalar } from './scalars.ts';

const DNS_FAULT = {
  message: 'port 53 is DNS, which is left alone',
  params: { fix: 'leave it out' },
};

/** The ports of a transparent listener. Port 80 is among the defaults: what is not intercepted goes past unjudged. */
export const interceptedPorts = z
  .array(port.refine(number => number !== 53, DNS_FAULT))
  .min(1)
  .meta({ examples: [[80, 443]] })
  .default([80, 443])
  .describe('The TCP ports that the ruleset of `sallyport netfilter` sends here; UDP is refused on them.');

/** The interfaces of a transparent listener. */
export const interceptedInterfaces = z
  .array(scalar('a network interface', ['eth1'], parseInterface))
  .default([])
  .describe('Where clients come in, for `sallyport netfilter`; none: everywhere.');

/** What the ruleset says beside the listeners. */
export const netfilter = z.strictObject({
  except: z
    .array(cidr)
    .default([])
    .describe('Destinations left alone: neither sent to a listener nor refused.'),
  strict: z
    .boolean()
    .default(false)
    .describe('Refuse whatever else clients send to be forwarded, but for DNS, NTP and ICMP.'),
  local: z.boolean().default(false).describe('Intercept what this host sends itself, too; needs user.'),
  user: z
    .union([scalar('a user', ['sallyport'], parseUser), z.int().min(0).max(0xfffffffe)])
    .meta({ title: 'a user by name or number', examples: ['sallyport'] })
    .optional()
    .describe('Whom sallyport runs as: what that user sends is never intercepted.'),
});

/** As the kernel takes them (15 bytes, no space or slash), without what would need quoting; `*` at the end for any. */
export function parseInterface(text: string): ScalarResult<string> {
  if (/^[A-Za-z0-9_.:@-]{1,15}$/.test(text) || /^[A-Za-z0-9_.:@-]{1,14}\*$/.test(text)) {
    return { ok: true, value: text };
  }
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no interface name`,
    fix: 'write a name of up to 15 letters, digits and _.:@-, such as eth1, or a beginning such as eth*',
  };
}

function parseUser(text: string): ScalarResult<string> {
  if (/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text)) return { ok: true, value: text };
  return {
    ok: false,
    message: `${JSON.stringify(text)} is no user name`,
    fix: 'write a name such as sallyport, or a number without quotes',
  };
}
