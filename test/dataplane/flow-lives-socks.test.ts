import { describe } from 'vitest';
import { concat } from '../support/client-hello.ts';
import { DIALLED, itLives, relayed, served } from './lives.ts';
import { hello, SOCKS_GREETING, socksRequest } from './openings.ts';
import { says, waits } from './support.ts';

describe('a SOCKS flow', () => {
  const listener = 'explicit';
  const asks = (host: string) => says(concat(SOCKS_GREETING, socksRequest(host)));
  itLives([
    [
      'is granted, then dialled',
      { listener },
      [says(SOCKS_GREETING), says(socksRequest('allowed.example')), says(hello()), ...served],
      ['reply method 0', 'reply SOCKS 0', 'readOn', ...relayed],
      `allow MATCHED - allowed; tls allowed.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'with everything in one packet',
      { listener },
      [says(concat(SOCKS_GREETING, socksRequest('allowed.example'), hello())), ...served],
      ['reply method 0', 'reply SOCKS 0', ...relayed],
      `allow MATCHED - allowed; tls allowed.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'a name that no rule allows',
      { listener },
      [asks('stranger.example')],
      ['reply method 0', 'hangUp SOCKS 2'],
      'deny NO_MATCH not_allowed -; socks5 stranger.example -:443',
      'refused',
    ],
    [
      'a name that does not resolve',
      { listener },
      [asks('gone.example')],
      ['reply method 0', 'hangUp SOCKS 4'],
      'deny MATCHED unresolvable allowed; socks5 gone.example -:443',
      'refused',
    ],
    [
      'an address',
      { listener },
      [asks('198.51.100.7')],
      ['reply method 0', 'hangUp SOCKS 2'],
      `deny NO_MATCH no_hostname -; socks5 - ${DIALLED}`,
      'refused',
    ],
    [
      'an address where we only observe',
      { listener, mode: 'observe' },
      [asks('198.51.100.7'), waits(300), ...served],
      ['reply method 0', 'reply SOCKS 0', 'readOn', ...relayed],
      `would-deny NO_MATCH no_hostname -; tcp - ${DIALLED}`,
      'server_fin',
    ],
    [
      'silence after the greeting',
      { listener },
      [says(SOCKS_GREETING), waits(5_000)],
      ['reply method 0', 'hangUp SOCKS 1'],
      'deny NO_MATCH hello_timeout -; unknown - -:0',
      'refused',
    ],
    [
      'a hello that names another host',
      { listener },
      [asks('allowed.example'), says(hello('other.example'))],
      ['reply method 0', 'reply SOCKS 0', 'readOn', 'hangUp alert 49'],
      'deny DENIED name_mismatch allowed; tls allowed.example -:443',
      'refused',
    ],
  ]);
});
