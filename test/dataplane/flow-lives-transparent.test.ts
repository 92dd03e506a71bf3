import { describe } from 'vitest';
import { DIALLED, HUGE_HELLO, itLives, relayed, served } from './lives.ts';
import { hello, MALFORMED_HELLO, SSH_BANNER } from './openings.ts';
import { ends, says, waits } from './support.ts';

describe('a transparent flow, in enforce mode', () => {
  const elsewhere = '198.51.100.99';
  itLives([
    [
      'goes to the address that the client chose, when the name has it',
      { listener: 'resolve' },
      [says(hello('two.example')), ...served],
      relayed,
      `allow MATCHED - allowed; tls two.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'prefers the client’s choice among several',
      { listener: 'resolve', going: '198.51.100.8' },
      [says(hello('two.example')), ...served],
      ['connect 198.51.100.8:443', 'relay to 198.51.100.8:443'],
      'allow MATCHED - allowed; tls two.example 198.51.100.8:443',
      'server_fin',
    ],
    [
      'goes where the name leads when the client chose another address',
      { listener: 'resolve', going: elsewhere },
      [says(hello()), ...served],
      relayed,
      `allow MATCHED - allowed; tls allowed.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'is refused by verify when the client chose another address',
      { listener: 'verify', going: elsewhere },
      [says(hello())],
      ['hangUp alert 49'],
      `deny DENIED destination_mismatch allowed; tls allowed.example ${elsewhere}:443`,
      'refused',
    ],
    [
      'passes verify when the name has the client’s choice',
      { listener: 'verify' },
      [says(hello()), ...served],
      relayed,
      `allow MATCHED - allowed; tls allowed.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'goes to the client’s choice unseen under original',
      { listener: 'original', going: elsewhere },
      [says(hello()), ...served],
      [`connect ${elsewhere}:443`, `relay to ${elsewhere}:443`],
      `allow MATCHED - allowed; tls allowed.example ${elsewhere}:443`,
      'server_fin',
    ],
    [
      'never goes to metadata under original',
      { listener: 'original', going: '169.254.169.254' },
      [says(hello())],
      ['hangUp alert 49'],
      'deny DENIED destination_forbidden allowed; tls allowed.example 169.254.169.254:443',
      'refused',
    ],
    [
      'is judged by the port it was going to',
      { listener: 'resolve', goingPort: 8443 },
      [says(hello())],
      ['hangUp alert 49'],
      'deny NO_MATCH not_allowed -; tls allowed.example 198.51.100.7:8443',
      'refused',
    ],
    [
      'is refused when it came to the listener itself',
      { listener: 'resolve', going: null },
      [],
      ['hangUp nothing'],
      'deny DENIED destination_forbidden -; unknown - -:0',
      'refused',
    ],
    [
      'is not forwarded for being silent',
      { listener: 'resolve' },
      [waits(300), waits(4_700)],
      ['hangUp nothing'],
      `deny NO_MATCH hello_timeout -; unknown - ${DIALLED}`,
      'refused',
    ],
    [
      'is refused when it speaks something else',
      { listener: 'resolve' },
      [says(SSH_BANNER)],
      ['hangUp nothing'],
      `deny NO_MATCH not_tls -; tcp - ${DIALLED}`,
      'refused',
    ],
    [
      'is refused when its name does not resolve, even under verify',
      { listener: 'verify' },
      [says(hello('gone.example'))],
      ['hangUp alert 112'],
      `deny MATCHED unresolvable allowed; tls gone.example ${DIALLED}`,
      'refused',
    ],
  ]);
});

describe('a transparent flow, in observe mode, goes where it was going', () => {
  const base = { listener: 'resolve', mode: 'observe' } as const;
  const toOriginal = (decision: string): [string[], string, string] => [relayed, decision, 'server_fin'];
  itLives([
    [
      'with an allowed name',
      base,
      [says(hello()), ...served],
      ...toOriginal(`allow MATCHED - allowed; tls allowed.example ${DIALLED}`),
    ],
    [
      'with a name that no rule allows, unresolved',
      base,
      [says(hello('stranger.example')), ...served],
      ...toOriginal(`would-deny NO_MATCH not_allowed -; tls stranger.example ${DIALLED}`),
    ],
    [
      'with a name that does not resolve',
      base,
      [says(hello('gone.example')), ...served],
      ...toOriginal(`allow MATCHED - allowed; tls gone.example ${DIALLED}`),
    ],
    [
      'without a name',
      base,
      [says(hello(null)), ...served],
      ...toOriginal(`would-deny NO_MATCH no_hostname -; tls - ${DIALLED}`),
    ],
    [
      'with a malformed hello',
      base,
      [says(MALFORMED_HELLO), ...served],
      ...toOriginal(`would-deny NO_MATCH malformed_hello -; tls - ${DIALLED}`),
    ],
    [
      'after 300 ms of silence',
      base,
      [waits(300), ...served],
      ...toOriginal(`would-deny NO_MATCH hello_timeout -; tcp - ${DIALLED}`),
    ],
    [
      'with half a hello, after the hello timeout',
      base,
      [says(hello().subarray(0, 50)), waits(5_000), ...served],
      ...toOriginal(`would-deny NO_MATCH hello_timeout -; tls - ${DIALLED}`),
    ],
    [
      'with a hello that is too large',
      base,
      [says(HUGE_HELLO), ...served],
      ...toOriginal(`would-deny NO_MATCH hello_too_large -; tls - ${DIALLED}`),
    ],
    [
      'with half a hello and a FIN',
      base,
      [says(hello().subarray(0, 50)), ends, ...served],
      ...toOriginal(`would-deny NO_MATCH client_closed -; tls - ${DIALLED}`),
    ],
    [
      'under verify, with a name of another address',
      { ...base, listener: 'verify' },
      [says(hello('other.example')), ...served],
      ...toOriginal(`would-deny DENIED destination_mismatch allowed; tls other.example ${DIALLED}`),
    ],
    [
      'to a private address, and that is reported',
      { ...base, going: '10.1.1.1' },
      [says(hello()), ...served],
      ['connect 10.1.1.1:443', 'relay to 10.1.1.1:443'],
      'would-deny DENIED destination_forbidden allowed; tls allowed.example 10.1.1.1:443',
      'server_fin',
    ],
    [
      'but never to the metadata service',
      { ...base, going: '169.254.169.254' },
      [says(hello())],
      ['hangUp alert 49'],
      'deny DENIED destination_forbidden allowed; tls allowed.example 169.254.169.254:443',
      'refused',
    ],
    [
      'nor to our own listener',
      { ...base, going: '203.0.113.1' },
      [waits(300)],
      ['hangUp nothing'],
      'deny DENIED destination_forbidden -; tcp - 203.0.113.1:443',
      'refused',
    ],
    [
      'but not when it leaves without a word',
      base,
      [ends],
      ['hangUp nothing'],
      `deny NO_MATCH client_closed -; unknown - ${DIALLED}`,
      'refused',
    ],
  ]);
});
