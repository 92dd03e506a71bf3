import { describe } from 'vitest';
import { rule } from '../policy/reference.ts';
import { ech, itLives } from './lives.ts';
import { hello } from './openings.ts';
import { compiled, type Step, says } from './support.ts';

const slow = (rest: Parameters<typeof rule>[2] = {}) => compiled([rule('slow', ['slow.example'], rest)]);

/** Another policy comes into force, which refuses the flow while its name is being resolved. */
const refusedBy =
  (rest: Parameters<typeof rule>[2]): Step =>
  rig => {
    rig.policy = slow(rest);
    rig.flow.abandon('policy_changed');
  };

describe('a flow that a new policy refuses before it was decided says why', () => {
  itLives([
    [
      'its name',
      { policy: slow() },
      [says(hello('slow.example')), refusedBy({ action: 'deny' })],
      ['reset'],
      'deny DENIED rule_denied slow; tls slow.example -:443',
      'policy_changed',
    ],
    [
      'its Encrypted Client Hello',
      { policy: slow({ ech: 'outer' }) },
      [says(ech('slow.example')), refusedBy({ ech: 'deny' })],
      ['reset'],
      'deny DENIED ech slow; tls slow.example -:443',
      'policy_changed',
    ],
    [
      'the private address that it is going to',
      { policy: slow({ allowPrivate: true }), listener: 'resolve', going: '10.0.0.6' },
      [says(hello('slow.example')), refusedBy({ allowPrivate: false })],
      ['reset'],
      'deny DENIED destination_forbidden slow; tls slow.example 10.0.0.6:443',
      'policy_changed',
    ],
  ]);
});
