import { join } from 'node:path';
import type { Contestant } from './contestant.ts';

const HAPROXY = '/usr/sbin/haproxy';
const NGINX = '/usr/sbin/nginx';
const SNIPROXY = '/usr/sbin/sniproxy';

export const HAPROXY_TUNED = haproxy('tuned');
export const HAPROXY_TWO_THREADS: Contestant = { ...HAPROXY_TUNED, values: { THREADS: '2' } };
export const HAPROXY_DEFAULT = haproxy('default');
/** With a log line a flow, as sallyport writes two. */
export const HAPROXY_LOGGING = haproxy('logging');
/** Relays without a look, so the backend answers the CONNECT: what HAProxy costs where it can take no part. */
export const HAPROXY_RELAY: Contestant = { ...haproxy('relay'), opening: 'connect' };
/** Behind nftables REDIRECT. */
export const HAPROXY_GATEWAY = haproxy('gateway');
export const NGINX_TUNED = nginx('tuned');
export const NGINX_DEFAULT = nginx('default');
export const SNIPROXY_QUIET = sniproxy('quiet');
export const SNIPROXY_DEFAULT = sniproxy('default');

function haproxy(configuration: string): Contestant {
  const file = `haproxy-${configuration}.cfg`;
  return {
    name: `haproxy, ${configuration}`,
    software: 'haproxy',
    files: [file],
    values: { THREADS: '1' },
    binary: HAPROXY,
    command: dir => [HAPROXY, '-db', '-f', join(dir, file)],
    opening: 'hello',
  };
}

function nginx(configuration: string): Contestant {
  const file = `nginx-${configuration}.conf`;
  return {
    name: `nginx, ${configuration}`,
    software: 'nginx',
    files: [file],
    values: {},
    binary: NGINX,
    command: dir => [NGINX, '-c', join(dir, file)],
    opening: 'hello',
  };
}

function sniproxy(configuration: string): Contestant {
  const file = `sniproxy-${configuration}.conf`;
  return {
    name: `sniproxy, ${configuration}`,
    software: 'sniproxy',
    files: [file],
    values: {},
    binary: SNIPROXY,
    command: dir => [SNIPROXY, '-f', '-c', join(dir, file)],
    opening: 'hello',
  };
}
