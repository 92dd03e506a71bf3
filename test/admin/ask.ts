import { adminApp } from '../../src/admin/admin-app.ts';
import type { RequestGuardOptions } from '../../src/admin/request-guard.ts';
import { FakeDaemon, GUARD } from './support.ts';

export const HOST = '127.0.0.1:9464';

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks the admin HTTP of a daemon that is made up, without a socket. */
export async function ask(
  { method = 'GET', path, headers = {}, body }: Call,
  daemon: FakeDaemon = new FakeDaemon(),
  guard: Partial<RequestGuardOptions> = {},
) {
  const response = await adminApp(daemon, { ...GUARD, ...guard }).request(`http://${HOST}${path}`, {
    method,
    headers: { host: HOST, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, headers: response.headers, type, text };
}
