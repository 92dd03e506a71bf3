import { Hono } from 'hono';
import { z } from 'zod';

/** What a daemon does for the one that replaces it. */
export interface HandOver {
  /** Passes the listening sockets to a process of the same user that waits at an abstract unix socket, and a key. */
  pass(path: string): Promise<{ readonly ok: true } | { readonly ok: false; readonly error: string }>;
  /** Drains, and gives up the admin address at once. False: the key was not passed with the sockets. */
  retire(key: string): boolean;
}

const takeOverBody = z.strictObject({ socket: z.string().startsWith('@').max(100) });
const retireBody = z.strictObject({ key: z.string().min(1).max(100) });

/** The two questions of a successor: see `run --take-over`. Only a process of the same user gets further than asking. */
export function handOverRoutes(handOver: HandOver): Hono {
  const routes = new Hono();
  routes.post('/take-over', async context => {
    const body = takeOverBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
    const passed = await handOver.pass(body.data.socket);
    return passed.ok ? context.json({}) : context.json({ error: passed.error }, 409);
  });
  routes.post('/retire', async context => {
    const body = retireBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: z.prettifyError(body.error) }, 400);
    const error = 'the key is not the one that was passed with the sockets';
    return handOver.retire(body.data.key) ? context.json({}) : context.json({ error }, 403);
  });
  return routes;
}
