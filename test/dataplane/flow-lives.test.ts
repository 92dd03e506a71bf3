import { describe, expect, it } from 'vitest';
import { buildClientHello, concat, text } from '../support/client-hello.ts';
import { connectRequest, hello, MALFORMED_HELLO, SOCKS_GREETING, SSH_BANNER, socksRequest } from './openings.ts';
import {
  after,
  connected,
  ends,
  failed,
  live,
  type RigOptions,
  relayEnds,
  resets,
  resolved,
  type Step,
  says,
  story,
} from './support.ts';

/** A whole life: what it is, around what, what happens; then the wire's calls, the decision and the end. */
type Life = readonly [
  sentence: string,
  options: RigOptions,
  steps: readonly Step[],
  calls: readonly string[],
  decision: string,
  end: string,
];

const DIALLED = '198.51.100.7:443';
const served = [connected, relayEnds('server_fin')];
const relayed = [`connect ${DIALLED}`, `relay to ${DIALLED}`];
const ech = (serverName: string) => buildClientHello({ serverName, ech: true });
/** The beginning of a hello of 16 KiB. */
const HUGE_HELLO = Uint8Array.of(22, 3, 1, 0x3f, 0xf4, 1, 0, 0x3f, 0xf0);
const draftHello = buildClientHello({ legacyVersion: 0x0304 });

function itLives(lives: readonly Life[]): void {
  it.each(lives)('%s', (_, options, steps, calls, decision, end) => {
    const rig = live(options, steps);
    expect(story(rig)).toEqual({ calls, decision, end, faults: [] });
    expect(rig.told).toEqual(['decided', 'closed', 'over']);
    expect(rig.clock.isIdle).toBe(true);
  });
}

describe('TLS straight at us, in enforce mode', () => {
  itLives([
    ['an allowed name is dialled and relayed', {}, [says(hello()), ...served], relayed, `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a name in capitals is the same name', {}, [says(hello('ALLOWED.Example')), ...served], relayed, `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a name that no rule allows', {}, [says(hello('stranger.example'))], ['hangUp alert 49'], 'deny NO_MATCH not_allowed -; tls stranger.example -:443', 'refused'],
    ['a name that a rule denies', {}, [says(hello('denied.example'))], ['hangUp alert 49'], 'deny DENIED rule_denied never; tls denied.example -:443', 'refused'],
    ['no name', {}, [says(hello(null))], ['hangUp alert 112'], 'deny NO_MATCH no_hostname -; tls - -:443', 'refused'],
    ['a malformed hello', {}, [says(MALFORMED_HELLO)], ['hangUp alert 50'], 'deny NO_MATCH malformed_hello -; tls - -:443', 'refused'],
    ['a hello of a TLS 1.3 draft', {}, [says(draftHello)], ['hangUp alert 50'], 'deny NO_MATCH malformed_hello -; tls - -:443', 'refused'],
    ['plain HTTP', {}, [says(text('GET / HTTP/1.1\r\n'))], ['hangUp nothing'], 'deny NO_MATCH not_tls -; http - -:443', 'refused'],
    ['SSH', {}, [says(SSH_BANNER)], ['hangUp nothing'], 'deny NO_MATCH not_tls -; tcp - -:443', 'refused'],
    ['a hello that announces more than is taken', {}, [says(HUGE_HELLO)], ['hangUp alert 50'], 'deny NO_MATCH hello_too_large -; tls - -:443', 'refused'],
    ['silence until the hello timeout', {}, [after(5_000)], ['hangUp nothing'], 'deny NO_MATCH hello_timeout -; unknown - -:443', 'refused'],
    ['half a hello until the timeout', {}, [says(hello().subarray(0, 90)), after(5_000)], ['hangUp alert 49'], 'deny NO_MATCH hello_timeout -; tls - -:443', 'refused'],
    ['the timeout runs from the accept, not from the last byte', {}, [says(hello().subarray(0, 5)), after(4_999), says(hello().subarray(5, 6)), after(1)], ['hangUp alert 49'], 'deny NO_MATCH hello_timeout -; tls - -:443', 'refused'],
    ['a client that leaves at once', {}, [ends], ['hangUp nothing'], 'deny NO_MATCH client_closed -; unknown - -:443', 'refused'],
    ['a client that leaves within its hello', {}, [says(hello().subarray(0, 90)), ends], ['hangUp nothing'], 'deny NO_MATCH client_closed -; tls - -:443', 'refused'],
    ['a client that resets at once', {}, [resets], ['reset'], 'deny NO_MATCH client_closed -; unknown - -:443', 'client_reset'],
    ['a name that does not resolve', {}, [says(hello('gone.example'))], ['hangUp alert 112'], 'deny MATCHED unresolvable allowed; tls gone.example -:443', 'refused'],
    ['a name of the metadata service', {}, [says(hello('meta.example'))], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls meta.example -:443', 'refused'],
    ['a private address without leave', {}, [says(hello('private.example'))], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls private.example -:443', 'refused'],
    ['a private address with allowPrivate', {}, [says(hello('inside.example')), ...served], ['connect 10.0.0.6:443', 'relay to 10.0.0.6:443'], 'allow MATCHED - inside; tls inside.example 10.0.0.6:443', 'server_fin'],
    ['our own listener', {}, [says(hello('own.example'))], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls own.example -:443', 'refused'],
    ['the one good address among bad ones', {}, [says(hello('mixed.example')), ...served], relayed, `allow MATCHED - allowed; tls mixed.example ${DIALLED}`, 'server_fin'],
    ['ECH', {}, [says(ech('allowed.example'))], ['hangUp alert 49'], 'deny DENIED ech allowed; tls allowed.example -:443', 'refused'],
    ['ECH where the rule judges by the outer name', {}, [says(ech('outer.example')), ...served], ['connect 198.51.100.10:443', 'relay to 198.51.100.10:443'], 'allow MATCHED - outer; tls outer.example 198.51.100.10:443', 'server_fin'],
    ['ECH on a name that is not allowed anyway', {}, [says(ech('stranger.example'))], ['hangUp alert 49'], 'deny NO_MATCH not_allowed -; tls stranger.example -:443', 'refused'],
    ['another name right behind the first hello', {}, [says(concat(hello(), hello('stranger.example')))], ['hangUp alert 49'], 'deny DENIED name_mismatch allowed; tls allowed.example -:443', 'refused'],
    ['a dial that is refused', {}, [says(hello()), failed('refused')], [`connect ${DIALLED}`, 'reset'], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'dial_failed refused'],
    ['a dial that hears nothing', {}, [says(hello()), after(5_000)], [`connect ${DIALLED}`, 'reset'], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'dial_failed timeout'],
    ['the second address when the first refuses', {}, [says(hello('two.example')), failed('refused'), ...served], [`connect ${DIALLED}`, 'connect 198.51.100.8:443', 'relay to 198.51.100.8:443'], `allow MATCHED - allowed; tls two.example ${DIALLED}`, 'server_fin'],
    ['a reset while it is dialled', {}, [says(hello()), resets], [`connect ${DIALLED}`, 'reset'], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'client_reset'],
    ['a reset while it is resolved, and the answer after that', {}, [says(hello('slow.example')), resets, resolved], ['reset'], 'deny DENIED client_closed allowed; tls slow.example -:443', 'client_reset'],
    ['a slow resolver', {}, [says(hello('slow.example')), resolved, ...served], ['connect 198.51.100.11:443', 'relay to 198.51.100.11:443'], 'allow MATCHED - allowed; tls slow.example 198.51.100.11:443', 'server_fin'],
    ['a refusal by reset', { settings: { onDeny: 'reset' } }, [says(hello('stranger.example'))], ['reset'], 'deny NO_MATCH not_allowed -; tls stranger.example -:443', 'refused'],
    ['a refusal without a word', { settings: { onDeny: 'drop' } }, [says(hello('stranger.example'))], ['hangUp nothing'], 'deny NO_MATCH not_allowed -; tls stranger.example -:443', 'refused'],
  ]);
});

describe('TLS straight at us, in observe mode', () => {
  const mode = 'observe';
  itLives([
    ['an allowed name is plainly allowed', { mode }, [says(hello()), ...served], relayed, `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a name that no rule allows is forwarded', { mode }, [says(hello('stranger.example')), ...served], ['connect 198.51.100.13:443', 'relay to 198.51.100.13:443'], 'would-deny NO_MATCH not_allowed -; tls stranger.example 198.51.100.13:443', 'server_fin'],
    ['a name that a rule denies is forwarded', { mode }, [says(hello('denied.example')), ...served], ['connect 198.51.100.12:443', 'relay to 198.51.100.12:443'], 'would-deny DENIED rule_denied never; tls denied.example 198.51.100.12:443', 'server_fin'],
    ['ECH is forwarded', { mode }, [says(ech('allowed.example')), ...served], relayed, `would-deny DENIED ech allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a private address is dialled and reported', { mode }, [says(hello('private.example')), ...served], ['connect 10.0.0.5:443', 'relay to 10.0.0.5:443'], 'would-deny DENIED destination_forbidden allowed; tls private.example 10.0.0.5:443', 'server_fin'],
    ['a private address with allowPrivate is plainly allowed', { mode }, [says(hello('inside.example')), ...served], ['connect 10.0.0.6:443', 'relay to 10.0.0.6:443'], 'allow MATCHED - inside; tls inside.example 10.0.0.6:443', 'server_fin'],
    ['the metadata service is never dialled', { mode }, [says(hello('meta.example'))], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls meta.example -:443', 'refused'],
    ['nor is our own listener', { mode }, [says(hello('own.example'))], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls own.example -:443', 'refused'],
    ['no name means nowhere to go', { mode }, [says(hello(null))], ['hangUp alert 112'], 'deny NO_MATCH no_hostname -; tls - -:443', 'refused'],
    ['a malformed hello has nowhere to go', { mode }, [says(MALFORMED_HELLO)], ['hangUp alert 50'], 'deny NO_MATCH malformed_hello -; tls - -:443', 'refused'],
    ['silence has nowhere to go', { mode }, [after(5_000)], ['hangUp nothing'], 'deny NO_MATCH hello_timeout -; unknown - -:443', 'refused'],
    ['a name that does not resolve has nowhere to go', { mode }, [says(hello('gone.example'))], ['hangUp alert 112'], 'deny MATCHED unresolvable allowed; tls gone.example -:443', 'refused'],
    ['another name right behind the first hello is forwarded', { mode }, [says(concat(hello(), hello('stranger.example'))), ...served], relayed, `would-deny DENIED name_mismatch allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['the first objection is the one reported', { mode }, [says(ech('stranger.example')), ...served], ['connect 198.51.100.13:443', 'relay to 198.51.100.13:443'], 'would-deny NO_MATCH not_allowed -; tls stranger.example 198.51.100.13:443', 'server_fin'],
  ]);
});

describe('a transparent flow, in enforce mode', () => {
  const elsewhere = '198.51.100.99';
  itLives([
    ['goes to the address that the client chose, when the name has it', { listener: 'resolve' }, [says(hello('two.example')), ...served], relayed, `allow MATCHED - allowed; tls two.example ${DIALLED}`, 'server_fin'],
    ['prefers the client’s choice among several', { listener: 'resolve', going: '198.51.100.8' }, [says(hello('two.example')), ...served], ['connect 198.51.100.8:443', 'relay to 198.51.100.8:443'], 'allow MATCHED - allowed; tls two.example 198.51.100.8:443', 'server_fin'],
    ['goes where the name leads when the client chose another address', { listener: 'resolve', going: elsewhere }, [says(hello()), ...served], relayed, `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['is refused by verify when the client chose another address', { listener: 'verify', going: elsewhere }, [says(hello())], ['hangUp alert 49'], `deny DENIED destination_mismatch allowed; tls allowed.example ${elsewhere}:443`, 'refused'],
    ['passes verify when the name has the client’s choice', { listener: 'verify' }, [says(hello()), ...served], relayed, `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['goes to the client’s choice unseen under original', { listener: 'original', going: elsewhere }, [says(hello()), ...served], [`connect ${elsewhere}:443`, `relay to ${elsewhere}:443`], `allow MATCHED - allowed; tls allowed.example ${elsewhere}:443`, 'server_fin'],
    ['never goes to metadata under original', { listener: 'original', going: '169.254.169.254' }, [says(hello())], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls allowed.example 169.254.169.254:443', 'refused'],
    ['is judged by the port it was going to', { listener: 'resolve', goingPort: 8443 }, [says(hello())], ['hangUp alert 49'], 'deny NO_MATCH not_allowed -; tls allowed.example 198.51.100.7:8443', 'refused'],
    ['is refused when it came to the listener itself', { listener: 'resolve', going: null }, [], ['hangUp nothing'], 'deny DENIED destination_forbidden -; unknown - -:0', 'refused'],
    ['is not forwarded for being silent', { listener: 'resolve' }, [after(300), after(4_700)], ['hangUp nothing'], `deny NO_MATCH hello_timeout -; unknown - ${DIALLED}`, 'refused'],
    ['is refused when it speaks something else', { listener: 'resolve' }, [says(SSH_BANNER)], ['hangUp nothing'], `deny NO_MATCH not_tls -; tcp - ${DIALLED}`, 'refused'],
    ['is refused when its name does not resolve, even under verify', { listener: 'verify' }, [says(hello('gone.example'))], ['hangUp alert 112'], `deny MATCHED unresolvable allowed; tls gone.example ${DIALLED}`, 'refused'],
  ]);
});

describe('a transparent flow, in observe mode, goes where it was going', () => {
  const base = { listener: 'resolve', mode: 'observe' } as const;
  const toOriginal = (decision: string): [string[], string, string] => [relayed, decision, 'server_fin'];
  itLives([
    ['with an allowed name', base, [says(hello()), ...served], ...toOriginal(`allow MATCHED - allowed; tls allowed.example ${DIALLED}`)],
    ['with a name that no rule allows, unresolved', base, [says(hello('stranger.example')), ...served], ...toOriginal(`would-deny NO_MATCH not_allowed -; tls stranger.example ${DIALLED}`)],
    ['with a name that does not resolve', base, [says(hello('gone.example')), ...served], ...toOriginal(`allow MATCHED - allowed; tls gone.example ${DIALLED}`)],
    ['without a name', base, [says(hello(null)), ...served], ...toOriginal(`would-deny NO_MATCH no_hostname -; tls - ${DIALLED}`)],
    ['with a malformed hello', base, [says(MALFORMED_HELLO), ...served], ...toOriginal(`would-deny NO_MATCH malformed_hello -; tls - ${DIALLED}`)],
    ['with HTTP', base, [says(text('GET / HTTP/1.1\r\n')), ...served], ...toOriginal(`would-deny NO_MATCH not_tls -; http - ${DIALLED}`)],
    ['after 300 ms of silence', base, [after(300), ...served], ...toOriginal(`would-deny NO_MATCH hello_timeout -; tcp - ${DIALLED}`)],
    ['with half a hello, after the hello timeout', base, [says(hello().subarray(0, 50)), after(5_000), ...served], ...toOriginal(`would-deny NO_MATCH hello_timeout -; tls - ${DIALLED}`)],
    ['with a hello that is too large', base, [says(HUGE_HELLO), ...served], ...toOriginal(`would-deny NO_MATCH hello_too_large -; tls - ${DIALLED}`)],
    ['with half a hello and a FIN', base, [says(hello().subarray(0, 50)), ends, ...served], ...toOriginal(`would-deny NO_MATCH client_closed -; tls - ${DIALLED}`)],
    ['under verify, with a name of another address', { ...base, listener: 'verify' }, [says(hello('other.example')), ...served], ...toOriginal(`allow MATCHED - allowed; tls other.example ${DIALLED}`)],
    ['to a private address, and that is reported', { ...base, going: '10.1.1.1' }, [says(hello()), ...served], ['connect 10.1.1.1:443', 'relay to 10.1.1.1:443'], 'would-deny DENIED destination_forbidden allowed; tls allowed.example 10.1.1.1:443', 'server_fin'],
    ['but never to the metadata service', { ...base, going: '169.254.169.254' }, [says(hello())], ['hangUp alert 49'], 'deny DENIED destination_forbidden allowed; tls allowed.example 169.254.169.254:443', 'refused'],
    ['nor to our own listener', { ...base, going: '203.0.113.1' }, [after(300)], ['hangUp nothing'], 'deny DENIED destination_forbidden -; tcp - 203.0.113.1:443', 'refused'],
    ['but not when it leaves without a word', base, [ends], ['hangUp nothing'], `deny NO_MATCH client_closed -; unknown - ${DIALLED}`, 'refused'],
  ]);
});

describe('a CONNECT flow, in enforce mode', () => {
  const listener = 'explicit';
  const asks = says(connectRequest('allowed.example'));
  const granted = ['reply HTTP 200', 'readOn'];
  itLives([
    ['is granted, then dialled when the hello names the same host', { listener }, [asks, says(hello()), ...served], [...granted, ...relayed], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['with the hello in the same packet', { listener }, [says(concat(connectRequest('allowed.example'), hello())), ...served], ['reply HTTP 200', ...relayed], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a name that no rule allows', { listener }, [says(connectRequest('stranger.example'))], ['hangUp HTTP 403'], 'deny NO_MATCH not_allowed -; connect stranger.example -:443', 'refused'],
    ['a port that no rule allows', { listener }, [says(connectRequest('allowed.example', 22))], ['hangUp HTTP 403'], 'deny NO_MATCH not_allowed -; connect allowed.example -:22', 'refused'],
    ['a denied name', { listener }, [says(connectRequest('denied.example'))], ['hangUp HTTP 403'], 'deny DENIED rule_denied never; connect denied.example -:443', 'refused'],
    ['an address', { listener }, [says(connectRequest('198.51.100.7'))], ['hangUp HTTP 403'], `deny NO_MATCH no_hostname -; connect - ${DIALLED}`, 'refused'],
    ['a name that does not resolve', { listener }, [says(connectRequest('gone.example'))], ['hangUp HTTP 502'], 'deny MATCHED unresolvable allowed; connect gone.example -:443', 'refused'],
    ['a name of the metadata service', { listener }, [says(connectRequest('meta.example'))], ['hangUp HTTP 403'], 'deny DENIED destination_forbidden allowed; connect meta.example -:443', 'refused'],
    ['a malformed request', { listener }, [says(text('CONNECT  HTTP/1.1\r\n'))], ['hangUp HTTP 400'], 'deny NO_MATCH malformed_request -; http - -:0', 'refused'],
    ['plain HTTP', { listener }, [says(text('GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n'))], ['hangUp HTTP 403'], 'deny NO_MATCH not_tls -; http - -:0', 'refused'],
    ['TLS without a request', { listener }, [says(hello())], ['hangUp nothing'], 'deny NO_MATCH malformed_request -; tls - -:0', 'refused'],
    ['silence instead of a request', { listener }, [after(5_000)], ['hangUp nothing'], 'deny NO_MATCH hello_timeout -; unknown - -:0', 'refused'],
    ['half a request', { listener }, [says(text('CONNECT a')), after(5_000)], ['hangUp HTTP 408'], 'deny NO_MATCH hello_timeout -; unknown - -:0', 'refused'],
    ['a client that leaves within its request', { listener }, [says(text('CONNECT a')), ends], ['hangUp nothing'], 'deny NO_MATCH client_closed -; unknown - -:0', 'refused'],
    ['a reset before the request', { listener }, [resets], ['reset'], 'deny NO_MATCH client_closed -; unknown - -:0', 'client_reset'],
    ['a hello that names another host, though allowed', { listener }, [asks, says(hello('other.example'))], [...granted, 'hangUp alert 49'], 'deny DENIED name_mismatch allowed; tls allowed.example -:443', 'refused'],
    ['a hello without a name', { listener }, [asks, says(hello(null))], [...granted, 'hangUp alert 112'], 'deny DENIED no_hostname allowed; tls allowed.example -:443', 'refused'],
    ['a hello with ECH', { listener }, [asks, says(ech('allowed.example'))], [...granted, 'hangUp alert 49'], 'deny DENIED ech allowed; tls allowed.example -:443', 'refused'],
    ['something other than TLS inside', { listener }, [asks, says(text('GET / HTTP/1.1\r\n'))], [...granted, 'hangUp nothing'], 'deny DENIED not_tls allowed; http allowed.example -:443', 'refused'],
    ['silence inside', { listener }, [asks, after(5_000)], [...granted, 'hangUp nothing'], 'deny DENIED hello_timeout allowed; connect allowed.example -:443', 'refused'],
    ['a FIN instead of the hello', { listener }, [asks, ends], [...granted, 'hangUp nothing'], 'deny DENIED client_closed allowed; connect allowed.example -:443', 'refused'],
    ['a reset instead of the hello', { listener }, [asks, resets], [...granted, 'reset'], 'deny DENIED client_closed allowed; connect allowed.example -:443', 'client_reset'],
    ['a reset while its name is resolved', { listener }, [says(connectRequest('slow.example')), resets, resolved], ['reset'], 'deny DENIED client_closed allowed; connect slow.example -:443', 'client_reset'],
    ['a slow resolver', { listener }, [says(connectRequest('slow.example')), resolved, says(hello('slow.example')), ...served], [...granted, 'connect 198.51.100.11:443', 'relay to 198.51.100.11:443'], 'allow MATCHED - allowed; tls slow.example 198.51.100.11:443', 'server_fin'],
    ['a dial that is refused', { listener }, [asks, says(hello()), failed('unreachable')], [...granted, `connect ${DIALLED}`, 'reset'], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'dial_failed unreachable'],
    ['a refusal by reset', { listener, settings: { onDeny: 'reset' } }, [says(connectRequest('stranger.example'))], ['reset'], 'deny NO_MATCH not_allowed -; connect stranger.example -:443', 'refused'],
  ]);
});

describe('a CONNECT flow, in observe mode', () => {
  const base = { listener: 'explicit', mode: 'observe' } as const;
  const asks = says(connectRequest('allowed.example'));
  const granted = ['reply HTTP 200', 'readOn'];
  const stranger = ['connect 198.51.100.13:443', 'relay to 198.51.100.13:443'];
  itLives([
    ['a name that no rule allows is forwarded', base, [says(connectRequest('stranger.example')), says(hello('stranger.example')), ...served], [...granted, ...stranger], 'would-deny NO_MATCH not_allowed -; tls stranger.example 198.51.100.13:443', 'server_fin'],
    ['an address is dialled', base, [says(connectRequest('198.51.100.7')), says(hello()), ...served], [...granted, ...relayed], `would-deny NO_MATCH no_hostname -; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['the metadata service is not', base, [says(connectRequest('169.254.169.254', 80))], ['hangUp HTTP 403'], 'deny DENIED destination_forbidden -; connect - 169.254.169.254:80', 'refused'],
    ['a hello that names another host goes to the name of the CONNECT', base, [asks, says(hello('other.example')), ...served], [...granted, ...relayed], `would-deny DENIED name_mismatch allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['something other than TLS is forwarded', base, [asks, says(SSH_BANNER), ...served], [...granted, ...relayed], `would-deny DENIED not_tls allowed; tcp allowed.example ${DIALLED}`, 'server_fin'],
    ['a client that lets the server speak first waits 300 ms', base, [asks, after(300), ...served], [...granted, ...relayed], `would-deny DENIED hello_timeout allowed; tcp allowed.example ${DIALLED}`, 'server_fin'],
    ['a private address is reported', base, [says(connectRequest('private.example')), says(hello('private.example')), ...served], [...granted, 'connect 10.0.0.5:443', 'relay to 10.0.0.5:443'], 'would-deny DENIED destination_forbidden allowed; tls private.example 10.0.0.5:443', 'server_fin'],
    ['a name that does not resolve has nowhere to go', base, [says(connectRequest('gone.example'))], ['hangUp HTTP 502'], 'deny MATCHED unresolvable allowed; connect gone.example -:443', 'refused'],
    ['a stranger that does not resolve', base, [says(connectRequest('nowhere.example'))], ['hangUp HTTP 502'], 'deny NO_MATCH unresolvable -; connect nowhere.example -:443', 'refused'],
    ['a malformed request has nowhere to go', base, [says(text('GET  \r\n'))], ['hangUp HTTP 400'], 'deny NO_MATCH malformed_request -; http - -:0', 'refused'],
    ['silence instead of a request has nowhere to go', base, [after(300), after(4_700)], ['hangUp nothing'], 'deny NO_MATCH hello_timeout -; unknown - -:0', 'refused'],
  ]);
});

describe('a SOCKS flow', () => {
  const listener = 'explicit';
  const asks = (host: string) => says(concat(SOCKS_GREETING, socksRequest(host)));
  itLives([
    ['is granted, then dialled', { listener }, [says(SOCKS_GREETING), says(socksRequest('allowed.example')), says(hello()), ...served], ['reply method 0', 'reply SOCKS 0', 'readOn', ...relayed], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['with everything in one packet', { listener }, [says(concat(SOCKS_GREETING, socksRequest('allowed.example'), hello())), ...served], ['reply method 0', 'reply SOCKS 0', ...relayed], `allow MATCHED - allowed; tls allowed.example ${DIALLED}`, 'server_fin'],
    ['a name that no rule allows', { listener }, [asks('stranger.example')], ['reply method 0', 'hangUp SOCKS 2'], 'deny NO_MATCH not_allowed -; socks5 stranger.example -:443', 'refused'],
    ['a name that does not resolve', { listener }, [asks('gone.example')], ['reply method 0', 'hangUp SOCKS 4'], 'deny MATCHED unresolvable allowed; socks5 gone.example -:443', 'refused'],
    ['an address', { listener }, [asks('198.51.100.7')], ['reply method 0', 'hangUp SOCKS 2'], `deny NO_MATCH no_hostname -; socks5 - ${DIALLED}`, 'refused'],
    ['an address where we only observe', { listener, mode: 'observe' }, [asks('198.51.100.7'), after(300), ...served], ['reply method 0', 'reply SOCKS 0', 'readOn', ...relayed], `would-deny NO_MATCH no_hostname -; tcp - ${DIALLED}`, 'server_fin'],
    ['silence after the greeting', { listener }, [says(SOCKS_GREETING), after(5_000)], ['reply method 0', 'hangUp SOCKS 1'], 'deny NO_MATCH hello_timeout -; unknown - -:0', 'refused'],
    ['a hello that names another host', { listener }, [asks('allowed.example'), says(hello('other.example'))], ['reply method 0', 'reply SOCKS 0', 'readOn', 'hangUp alert 49'], 'deny DENIED name_mismatch allowed; tls allowed.example -:443', 'refused'],
  ]);
});
