import { describe } from 'vitest';
import { Cidr } from '../../src/policy/address.ts';
import type { Rule } from '../../src/policy/rules.ts';
import { packTcpAddresses, TcpAddresses } from '../../src/policy/tcp-addresses.ts';
import { rule } from '../policy/reference.ts';
import { hostname, ip } from '../resolve/support.ts';
import { concat } from '../support/client-hello.ts';
import { itLives, served } from './lives.ts';
import { connectRequest, hello, SOCKS_GREETING, SSH_BANNER, socksRequest } from './openings.ts';
import { compiled, type ListenerName, type RigOptions, resets, resolved, says, waits } from './support.ts';

const cidrs = (...texts: string[]) => texts.flatMap(text => Cidr.parse(text) ?? []);
const tcp = (name: string, hosts: string[], rest: Partial<Rule> = {}) =>
  rule(name, hosts, { protocol: 'tcp', ports: [22], ...rest });

const RULES: readonly Rule[] = [
  tcp('git-ssh', ['allowed.example', 'slow.example', 'meta.example', 'private.example']),
  tcp('machines', [], { cidrs: cidrs('198.51.100.32/28', '169.254.0.0/16', '10.0.0.0/8') }),
  tcp('not-that-one', [], { cidrs: cidrs('198.51.100.33'), action: 'deny' }),
  tcp('not-there', [], { cidrs: cidrs('198.51.100.8', '198.51.100.9'), ports: [443], action: 'deny' }),
  rule('named', ['two.example', 'other.example'], { ports: [22, 443] }),
  rule('never', ['slow.example'], { ports: [22], action: 'deny', from: [] }),
];
const POLICY = {
  enforce: compiled(RULES.filter(({ name }) => name !== 'never')),
  observe: compiled(
    RULES.filter(({ name }) => name !== 'never'),
    { mode: 'observe' },
  ),
  never: compiled(RULES),
};
const known = TcpAddresses.from(
  packTcpAddresses([
    { hostname: hostname('allowed.example'), addresses: [ip('198.51.100.7')] },
    { hostname: hostname('private.example'), addresses: [ip('10.0.0.5')] },
  ]),
);

function around(
  listener: ListenerName,
  rest: RigOptions = {},
  mode: keyof typeof POLICY = 'enforce',
): RigOptions {
  return { listener, goingPort: 22, policy: POLICY[mode], tcpAddresses: known, ...rest };
}

const SSH = '198.51.100.7:22';
const relayed = [`connect ${SSH}`, `relay to ${SSH}`];

describe('a transparent flow to a port of a tcp rule', () => {
  itLives([
    [
      'is dialled before the client has said anything, when a host of the rule has the address',
      around('resolve'),
      served,
      relayed,
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'the same whatever destination says of names',
      around('verify'),
      served,
      relayed,
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'is dialled when a block of the rule has the address, without a name',
      around('resolve', { going: '198.51.100.34' }),
      served,
      ['connect 198.51.100.34:22', 'relay to 198.51.100.34:22'],
      'allow MATCHED - machines; tcp - 198.51.100.34:22',
      'server_fin',
    ],
    [
      'is refused when a deny rule has the address',
      around('resolve', { going: '198.51.100.33' }),
      [],
      ['hangUp nothing'],
      'deny DENIED rule_denied not-that-one; tcp - 198.51.100.33:22',
      'refused',
    ],
    [
      'goes on all the same in observe mode, and is reported',
      around('resolve', { going: '198.51.100.33' }, 'observe'),
      served,
      ['connect 198.51.100.33:22', 'relay to 198.51.100.33:22'],
      'would-deny DENIED rule_denied not-that-one; tcp - 198.51.100.33:22',
      'server_fin',
    ],
    [
      'never goes to metadata, whatever block is written',
      around('resolve', { going: '169.254.169.254' }),
      [],
      ['hangUp nothing'],
      'deny DENIED destination_forbidden machines; tcp - 169.254.169.254:22',
      'refused',
    ],
    [
      'goes to no private address without allowPrivate',
      around('resolve', { going: '10.0.0.5' }),
      [],
      ['hangUp nothing'],
      'deny DENIED destination_forbidden git-ssh; tcp private.example 10.0.0.5:22',
      'refused',
    ],
    [
      'waits for a hello when the address is no rule’s',
      around('resolve', { going: '198.51.100.99' }),
      [waits(5_000)],
      ['hangUp nothing'],
      'deny NO_MATCH hello_timeout -; unknown - 198.51.100.99:22',
      'refused',
    ],
    [
      'is judged by its name as any other, when the address is no rule’s',
      around('resolve', { going: '198.51.100.9' }),
      [says(hello('other.example')), ...served],
      ['connect 198.51.100.9:22', 'relay to 198.51.100.9:22'],
      'allow MATCHED - named; tls other.example 198.51.100.9:22',
      'server_fin',
    ],
    [
      'is not opened by the name of the rule on the wire',
      around('original', { going: '198.51.100.99' }),
      [says(hello('allowed.example'))],
      ['hangUp alert 49'],
      'deny NO_MATCH not_allowed -; tls allowed.example 198.51.100.99:22',
      'refused',
    ],
    [
      'is not opened on another port',
      around('resolve', { goingPort: 443 }),
      [says(SSH_BANNER)],
      ['hangUp nothing'],
      'deny NO_MATCH not_tls -; tcp - 198.51.100.7:443',
      'refused',
    ],
    [
      'ends with its client while it is dialled',
      around('resolve'),
      [resets],
      [`connect ${SSH}`, 'reset'],
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'client_reset',
    ],
  ]);
});

describe('addresses that a tcp rule denies', () => {
  itLives([
    [
      'are not dialled for a name that has others',
      around('sni'),
      [says(hello('two.example')), ...served],
      ['connect 198.51.100.7:443', 'relay to 198.51.100.7:443'],
      'allow MATCHED - named; tls two.example 198.51.100.7:443',
      'server_fin',
    ],
    [
      'refuse a name that has no others',
      around('sni'),
      [says(hello('other.example'))],
      ['hangUp alert 49'],
      'deny DENIED rule_denied not-there; tls other.example 198.51.100.9:443',
      'refused',
    ],
  ]);
});

describe('an explicit flow to a host and port of a tcp rule', () => {
  itLives([
    [
      'is dialled at once after CONNECT',
      around('explicit'),
      [says(connectRequest('allowed.example', 22)), ...served],
      ['reply HTTP 200', ...relayed],
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'is dialled at once after SOCKS, with what the client has said already',
      around('explicit'),
      [says(concat(SOCKS_GREETING, socksRequest('allowed.example', 22), SSH_BANNER)), ...served],
      ['reply method 0', 'reply SOCKS 0', ...relayed],
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'is dialled by its address',
      around('explicit'),
      [says(connectRequest('198.51.100.7', 22)), ...served],
      ['reply HTTP 200', ...relayed],
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'is dialled in observe mode as in enforce mode',
      around('explicit', {}, 'observe'),
      [says(connectRequest('allowed.example', 22)), ...served],
      ['reply HTTP 200', ...relayed],
      `allow MATCHED - git-ssh; tcp allowed.example ${SSH}`,
      'server_fin',
    ],
    [
      'is refused an address that a deny rule has',
      around('explicit'),
      [says(connectRequest('198.51.100.33', 22))],
      ['hangUp HTTP 403'],
      'deny DENIED rule_denied not-that-one; tcp - 198.51.100.33:22',
      'refused',
    ],
    [
      'is refused a name that resolves to metadata',
      around('explicit'),
      [says(connectRequest('meta.example', 22))],
      ['hangUp HTTP 403'],
      'deny DENIED destination_forbidden git-ssh; tcp meta.example 169.254.169.254:22',
      'refused',
    ],
    [
      'is refused when a named rule denies the name',
      around('explicit', {}, 'never'),
      [says(connectRequest('slow.example', 22))],
      ['hangUp HTTP 403'],
      'deny DENIED rule_denied never; connect slow.example -:22',
      'refused',
    ],
    [
      'is dialled once its name is resolved',
      around('explicit'),
      [says(connectRequest('slow.example', 22)), resolved, ...served],
      ['reply HTTP 200', 'connect 198.51.100.11:22', 'relay to 198.51.100.11:22'],
      'allow MATCHED - git-ssh; tcp slow.example 198.51.100.11:22',
      'server_fin',
    ],
    [
      'waits for a hello under a named rule',
      around('explicit'),
      [says(connectRequest('two.example', 22)), says(hello('two.example')), ...served],
      ['reply HTTP 200', 'readOn', ...relayed],
      `allow MATCHED - named; tls two.example ${SSH}`,
      'server_fin',
    ],
    [
      'is not opened on another port',
      around('explicit'),
      [says(connectRequest('allowed.example', 23))],
      ['hangUp HTTP 403'],
      'deny NO_MATCH not_allowed -; connect allowed.example -:23',
      'refused',
    ],
  ]);
});
