import {
  accept,
  type Chain,
  counter,
  DSTNAT,
  dnat,
  FILTER,
  fromInterface,
  hasOtherDestination,
  hasTransparentSocket,
  inKnownFlow,
  jump,
  MANGLE,
  ofFamily,
  ofProtocol,
  ofUser,
  type Rule,
  redirect,
  rejectProhibited,
  rejectReset,
  rejectUnreachable,
  type Statement,
  setMark,
  toBlock,
  toPorts,
  toThisHost,
  tproxy,
} from './nft.ts';
import type { Interception, Plan } from './plan.ts';
import { TPROXY_MARK } from './policy-routing.ts';

const QUIC_PORTS = [80, 443];
const DNS_PORTS = [53];
const NTP_PORTS = [123];

const leaveAlone: Rule = rule('what is left alone', jump('left-alone'));

/** The chains of a plan; a chain stands before those that jump to it. */
export function buildRuleset(plan: Plan): Chain[] {
  const redirected = plan.interceptions.filter(({ by }) => by === 'redirect');
  const tproxied = plan.interceptions.filter(({ by }) => by === 'tproxy');
  return [
    leftAloneChain(plan),
    ...plan.interceptions.map(interceptChain),
    ...plan.interceptions.map(pastChain),
    ...(plan.strict ? [strictChain] : []),
    ...(redirected.length > 0 ? [redirectChain(redirected)] : []),
    ...(tproxied.length > 0 ? [tproxyChain(tproxied)] : []),
    forwardChain(plan),
    ...(plan.ownUid === null ? [] : outputChains(plan, plan.ownUid)),
  ];
}

/** Leads what is for a listener there. */
function interceptChain(interception: Interception): Chain {
  const { by, address, port, ports, families } = interception;
  const rules =
    by === 'redirect' && address === null && families.length === 2
      ? [
          rule(
            'to the listener, which learns the original destination',
            toPorts('tcp', ports),
            counter,
            redirect(port),
          ),
        ]
      : families.map(family => {
          const lead =
            by === 'tproxy'
              ? [tproxy(family, address, port), setMark(TPROXY_MARK), accept]
              : [address === null ? redirect(port) : dnat(family, address, port)];
          const comment = `${family} to the listener, which learns the original destination`;
          return rule(comment, ofFamily(family), toPorts('tcp', ports), counter, ...lead);
        });
  return { name: interceptName(interception), hook: null, rules };
}

/** Refuses what would go past a listener. */
function pastChain(interception: Interception): Chain {
  const { ports } = interception;
  const udpPorts = [...new Set([...QUIC_PORTS, ...ports])].sort((a, b) => a - b);
  return {
    name: pastName(interception),
    hook: null,
    rules: [
      rule(
        'QUIC hides the name: refused by ICMP, so that clients fall back to TCP at once',
        toPorts('udp', udpPorts),
        counter,
        rejectUnreachable,
      ),
      rule(
        'goes past the listener: older than these rules, or of a family that it does not serve',
        toPorts('tcp', ports),
        counter,
        rejectReset,
      ),
    ],
  };
}

const strictChain: Chain = {
  name: 'strict',
  hook: null,
  rules: [
    rule('answers, and what was there before these rules', inKnownFlow, accept),
    rule('DNS', toPorts('udp', DNS_PORTS), accept),
    rule('DNS, long answers', toPorts('tcp', DNS_PORTS), accept),
    rule('NTP', toPorts('udp', NTP_PORTS), accept),
    rule('ping and path MTU discovery', ofProtocol('icmp'), accept),
    rule('ping and path MTU discovery', ofProtocol('ipv6-icmp'), accept),
    rule('any other TCP', ofProtocol('tcp'), counter, rejectReset),
    rule('anything else', counter, rejectProhibited),
  ],
};

/** Accepting ends the chain that jumped here, and lets the packet on to other tables. */
function leftAloneChain({ except }: Plan): Chain {
  return {
    name: 'left-alone',
    hook: null,
    rules: [
      rule('for this host itself', toThisHost, accept),
      ...except.map(({ family, address, length, why }) =>
        rule(why, toBlock(family, address, length), accept),
      ),
    ],
  };
}

function redirectChain(interceptions: readonly Interception[]): Chain {
  return {
    name: 'prerouting',
    hook: { type: 'nat', hook: 'prerouting', priority: DSTNAT },
    rules: [leaveAlone, ...interceptions.flatMap(one => jumps(one, interceptName(one)))],
  };
}

function tproxyChain(interceptions: readonly Interception[]): Chain {
  return {
    name: 'prerouting-tproxy',
    hook: { type: 'filter', hook: 'prerouting', priority: MANGLE },
    rules: [
      rule(
        'later packets of flows that a listener has',
        ofProtocol('tcp'),
        ...hasTransparentSocket,
        setMark(TPROXY_MARK),
        accept,
      ),
      leaveAlone,
      ...interceptions.flatMap(one => jumps(one, interceptName(one))),
    ],
  };
}

function forwardChain(plan: Plan): Chain {
  return {
    name: 'forward',
    hook: { type: 'filter', hook: 'forward', priority: FILTER },
    rules: [
      leaveAlone,
      rule('sent there by another table, as to a published port of a container', hasOtherDestination, accept),
      ...plan.interceptions.flatMap(one => jumps(one, pastName(one))),
      ...(plan.strict ? strictJumps(plan) : []),
    ],
  };
}

function outputChains({ interceptions }: Plan, uid: number): Chain[] {
  const own = rule('what sallyport sends itself', ofUser(uid), accept);
  const to = (chain: string) => rule('whatever else this host sends', jump(chain));
  return [
    {
      name: 'output',
      hook: { type: 'nat', hook: 'output', priority: DSTNAT },
      rules: [own, leaveAlone, ...interceptions.map(one => to(interceptName(one)))],
    },
    {
      name: 'output-past',
      hook: { type: 'filter', hook: 'output', priority: FILTER },
      rules: [own, leaveAlone, ...interceptions.map(one => to(pastName(one)))],
    },
  ];
}

function jumps({ interfaces }: Interception, chain: string): Rule[] {
  if (interfaces.length === 0) return [rule('from any interface', jump(chain))];
  return interfaces.map(name => rule('from where clients come in', fromInterface(name), jump(chain)));
}

/** Once for each interface, however many listeners it has. */
function strictJumps({ interceptions }: Plan): Rule[] {
  const isAnywhere = interceptions.some(({ interfaces }) => interfaces.length === 0);
  const names = isAnywhere ? [] : [...new Set(interceptions.flatMap(({ interfaces }) => interfaces))];
  if (names.length === 0) return [rule('from any interface', jump(strictChain.name))];
  return names.map(name => rule('from where clients come in', fromInterface(name), jump(strictChain.name)));
}

/** Listeners' names may begin with a digit, chains' must not. */
function interceptName({ listener }: Interception): string {
  return `to-${listener}`;
}

function pastName({ listener }: Interception): string {
  return `past-${listener}`;
}

function rule(comment: string, ...statements: readonly Statement[]): Rule {
  return { comment, statements };
}
