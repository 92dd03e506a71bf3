import { describe, expect, it } from 'vitest';
import { concat } from '../support/client-hello.ts';
import {
  CANCEL_REQUEST,
  GSSENC_REQUEST,
  SSL_REQUEST,
  STARTUP_MESSAGE,
} from '../support/postgres-openings.ts';
import { DIALLED, itLives, type Life } from './lives.ts';
import { connectRequest, hello, MALFORMED_HELLO } from './openings.ts';
import {
  answers,
  compiled,
  connected,
  ends,
  failed,
  live,
  RULES,
  relayEnds,
  resets,
  says,
  waits,
} from './support.ts';

const ALLOWED = `allow MATCHED - allowed; tls allowed.example ${DIALLED}`;
const agreed = [connected, answers('S'), relayEnds('server_fin')];
const asked = [`connect ${DIALLED}`, `ask ${DIALLED} ssl`, `relay to ${DIALLED}`];
const dropped = (...calls: string[]) => [...calls, 'reset'];

describe('a PostgreSQL client that asks for TLS, in enforce mode', () => {
  const ways: Life[] = (['sni', 'resolve', 'verify', 'original'] as const).map(listener => [
    `with an allowed name (${listener})`,
    { listener },
    [says(SSL_REQUEST), says(hello()), ...agreed],
    ['reply S', ...asked],
    ALLOWED,
    'server_fin',
  ]);
  itLives([
    ...ways,
    [
      'in a tunnel, with the name of the tunnel',
      { listener: 'explicit' },
      [says(connectRequest('allowed.example')), says(SSL_REQUEST), says(hello()), ...agreed],
      ['reply HTTP 200', 'readOn', 'reply S', ...asked],
      ALLOWED,
      'server_fin',
    ],
    [
      'in a tunnel, right behind the request for it',
      { listener: 'explicit' },
      [says(concat(connectRequest('allowed.example'), SSL_REQUEST)), says(hello()), ...agreed],
      ['reply HTTP 200', 'reply S', 'readOn', ...asked],
      ALLOWED,
      'server_fin',
    ],
    [
      'in a tunnel, with another name',
      { listener: 'explicit' },
      [says(connectRequest('allowed.example')), says(SSL_REQUEST), says(hello('other.example'))],
      ['reply HTTP 200', 'readOn', 'reply S', 'hangUp alert 49'],
      `deny DENIED name_mismatch allowed; tls allowed.example ${DIALLED}`.replace(DIALLED, '-:443'),
      'refused',
    ],
    [
      'after GSS, which nobody offers',
      {},
      [says(GSSENC_REQUEST), says(SSL_REQUEST), says(hello()), ...agreed],
      ['reply N', 'reply S', ...asked],
      ALLOWED,
      'server_fin',
    ],
    [
      'after GSS, and begins it without asking',
      {},
      [says(GSSENC_REQUEST), says(hello()), connected, relayEnds('server_fin')],
      ['reply N', `connect ${DIALLED}`, `relay to ${DIALLED}`],
      ALLOWED,
      'server_fin',
    ],
    [
      'byte by byte',
      {},
      [...SSL_REQUEST].map(byte => says(Uint8Array.of(byte))).concat(says(hello()), agreed),
      ['reply S', ...asked],
      ALLOWED,
      'server_fin',
    ],
    [
      'with a name that is not allowed',
      {},
      [says(SSL_REQUEST), says(hello('stranger.example'))],
      ['reply S', 'hangUp alert 49'],
      'deny NO_MATCH not_allowed -; tls stranger.example -:443',
      'refused',
    ],
    [
      'without a name',
      {},
      [says(SSL_REQUEST), says(hello(null))],
      ['reply S', 'hangUp alert 112'],
      'deny NO_MATCH no_hostname -; tls - -:443',
      'refused',
    ],
    [
      'with a malformed hello',
      {},
      [says(SSL_REQUEST), says(MALFORMED_HELLO)],
      ['reply S', 'hangUp alert 50'],
      'deny NO_MATCH malformed_hello -; tls - -:443',
      'refused',
    ],
    [
      'and goes on in the clear',
      {},
      [says(SSL_REQUEST), says(STARTUP_MESSAGE)],
      ['reply S', 'hangUp nothing'],
      'deny NO_MATCH not_tls -; tcp - -:443',
      'refused',
    ],
    [
      'and goes on with HTTP',
      {},
      [says(SSL_REQUEST), says(Buffer.from('GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n'))],
      ['reply S', 'hangUp nothing'],
      'deny NO_MATCH not_tls -; tcp - -:443',
      'refused',
    ],
    [
      'twice',
      {},
      [says(SSL_REQUEST), says(SSL_REQUEST)],
      ['reply S', 'hangUp nothing'],
      'deny NO_MATCH malformed_request -; tcp - -:443',
      'refused',
    ],
    [
      'and has sent more than the request already',
      {},
      [says(concat(SSL_REQUEST, hello()))],
      ['hangUp nothing'],
      'deny NO_MATCH malformed_request -; tcp - -:443',
      'refused',
    ],
    [
      'and says no more',
      {},
      [says(SSL_REQUEST), waits(5_000)],
      ['reply S', 'hangUp nothing'],
      'deny NO_MATCH hello_timeout -; tcp - -:443',
      'refused',
    ],
    [
      'and leaves',
      {},
      [says(SSL_REQUEST), ends],
      ['reply S', 'hangUp nothing'],
      'deny NO_MATCH client_closed -; tcp - -:443',
      'refused',
    ],
  ]);
});

describe('its server, in enforce mode', () => {
  const begun = [says(SSL_REQUEST), says(hello()), connected];
  const reached = ['reply S', `connect ${DIALLED}`, `ask ${DIALLED} ssl`];
  itLives([
    ['says no', {}, [...begun, answers('N')], dropped(...reached), ALLOWED, 'tls_refused'],
    ['says an error', {}, [...begun, answers('EF')], dropped(...reached), ALLOWED, 'tls_refused'],
    ['says more than yes', {}, [...begun, answers('SX')], dropped(...reached), ALLOWED, 'tls_refused'],
    ['hangs up', {}, [...begun, answers(null)], dropped(...reached), ALLOWED, 'tls_refused'],
    ['does not answer', {}, [...begun, waits(10_000)], dropped(...reached), ALLOWED, 'tls_refused'],
    ['is left by the client', {}, [...begun, resets], dropped(...reached), ALLOWED, 'client_reset'],
    [
      'refuses the connection',
      {},
      [says(SSL_REQUEST), says(hello()), failed('refused')],
      ['reply S', `connect ${DIALLED}`, 'reset'],
      ALLOWED,
      'dial_failed refused',
    ],
  ]);
});

describe('a PostgreSQL client that goes on in the clear, in enforce mode', () => {
  const refused = 'deny NO_MATCH not_tls -; tcp - -:443';
  itLives([
    ['at once', {}, [says(STARTUP_MESSAGE)], ['hangUp PostgreSQL error'], refused, 'refused'],
    ['to cancel', {}, [says(CANCEL_REQUEST)], ['hangUp PostgreSQL error'], refused, 'refused'],
    [
      'after it asked for GSS',
      {},
      [says(GSSENC_REQUEST), says(STARTUP_MESSAGE)],
      ['reply N', 'hangUp PostgreSQL error'],
      refused,
      'refused',
    ],
    ['unheard', { settings: { onDeny: 'reset' } }, [says(STARTUP_MESSAGE)], ['reset'], refused, 'refused'],
  ]);
});

describe('a PostgreSQL client that asks for TLS, in observe mode', () => {
  const base = { listener: 'resolve', mode: 'observe' } as const;
  const first = [`connect ${DIALLED}`, `ask ${DIALLED} ssl`];
  const unread = `would-deny NO_MATCH not_tls -; tcp - ${DIALLED}`;
  itLives([
    [
      'of a server that agrees',
      base,
      [says(SSL_REQUEST), connected, answers('S'), says(hello()), relayEnds('server_fin')],
      [...first, 'reply S', 'readOn', `relay to ${DIALLED}`],
      ALLOWED,
      'server_fin',
    ],
    [
      'of a server that agrees, with a name that is not allowed',
      base,
      [says(SSL_REQUEST), connected, answers('S'), says(hello('stranger.example')), relayEnds('server_fin')],
      [...first, 'reply S', 'readOn', `relay to ${DIALLED}`],
      `would-deny NO_MATCH not_allowed -; tls stranger.example ${DIALLED}`,
      'server_fin',
    ],
    [
      'of a server that does not, and goes on in the clear',
      base,
      [says(SSL_REQUEST), connected, answers('N'), says(STARTUP_MESSAGE), relayEnds('server_fin')],
      [...first, 'reply N', 'readOn', `relay to ${DIALLED}`],
      unread,
      'server_fin',
    ],
    [
      'of a server that answers with an error',
      base,
      [says(SSL_REQUEST), connected, answers('EF'), relayEnds('server_fin')],
      [...first, 'reply PostgreSQL error', `relay to ${DIALLED}`],
      unread,
      'server_fin',
    ],
    [
      'of a server that does not answer',
      base,
      [says(SSL_REQUEST), connected, waits(10_000), relayEnds('server_fin')],
      [...first, `relay to ${DIALLED}`],
      unread,
      'server_fin',
    ],
    [
      'of a server that cannot be reached',
      base,
      [says(SSL_REQUEST), failed('refused')],
      [`connect ${DIALLED}`, 'reset'],
      `deny NO_MATCH client_closed -; tcp - ${DIALLED}`,
      'dial_failed refused',
    ],
    [
      'after GSS, over the same connection',
      base,
      [
        says(GSSENC_REQUEST),
        connected,
        answers('N'),
        says(SSL_REQUEST),
        answers('S'),
        says(hello()),
        relayEnds('server_fin'),
      ],
      [
        `connect ${DIALLED}`,
        `ask ${DIALLED} gssenc`,
        'reply N',
        'readOn',
        `ask ${DIALLED} ssl`,
        'reply S',
        'readOn',
        `relay to ${DIALLED}`,
      ],
      ALLOWED,
      'server_fin',
    ],
    [
      'of a server that offers GSS',
      base,
      [says(GSSENC_REQUEST), connected, answers('G'), relayEnds('server_fin')],
      [`connect ${DIALLED}`, `ask ${DIALLED} gssenc`, 'reply G', `relay to ${DIALLED}`],
      unread,
      'server_fin',
    ],
    [
      'and has sent more than the request already',
      base,
      [says(concat(SSL_REQUEST, hello())), connected, relayEnds('server_fin')],
      [`connect ${DIALLED}`, `relay to ${DIALLED}`],
      `would-deny NO_MATCH malformed_request -; tcp - ${DIALLED}`,
      'server_fin',
    ],
    [
      'in a tunnel',
      { listener: 'explicit', mode: 'observe' },
      [
        says(connectRequest('allowed.example')),
        says(SSL_REQUEST),
        connected,
        answers('S'),
        says(hello()),
        relayEnds('server_fin'),
      ],
      ['reply HTTP 200', 'readOn', ...first, 'reply S', 'readOn', `relay to ${DIALLED}`],
      ALLOWED,
      'server_fin',
    ],
    [
      'where only its hello can say where to go',
      { listener: 'sni', mode: 'observe' },
      [says(SSL_REQUEST), says(hello()), ...agreed],
      ['reply S', ...asked],
      ALLOWED,
      'server_fin',
    ],
    [
      'and says no more',
      base,
      [says(SSL_REQUEST), connected, answers('S'), waits(5_000), relayEnds('server_fin')],
      [...first, 'reply S', 'readOn', `relay to ${DIALLED}`],
      `would-deny NO_MATCH hello_timeout -; tcp - ${DIALLED}`,
      'server_fin',
    ],
    [
      'and leaves',
      base,
      [says(SSL_REQUEST), connected, answers('S'), ends],
      [...first, 'reply S', 'readOn', 'hangUp nothing'],
      `deny NO_MATCH client_closed -; tcp - ${DIALLED}`,
      'refused',
    ],
  ]);

  it('is compared with where its name leads', () => {
    const rig = live({ ...base, going: '198.51.100.9' }, [
      says(SSL_REQUEST),
      connected,
      answers('S'),
      says(hello()),
      relayEnds('server_fin'),
    ]);
    expect(rig.decided).toMatchObject([{ action: 'allow', dstIp: '198.51.100.9', dstMismatch: true }]);
  });

  it('is dialled anew, where its name leads, when observing ends meanwhile', () => {
    const policy = compiled(RULES, { mode: 'observe', observeUntilMs: Date.now() + 1_000 });
    const rig = live({ ...base, policy, going: '198.51.100.9' }, [
      says(SSL_REQUEST),
      connected,
      answers('S'),
      waits(2_000),
      says(hello()),
      ...agreed,
    ]);
    expect(rig.wire.calls).toEqual([
      'connect 198.51.100.9:443',
      'ask 198.51.100.9:443 ssl',
      'reply S',
      'readOn',
      ...asked,
    ]);
    expect(rig.wire.attempts.map(({ state }) => state)).toEqual(['aborted', 'connected']);
    expect(rig.decision).toBe(ALLOWED);
  });
});
