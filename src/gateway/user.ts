import type { Kernel } from './kernel.ts';

/** The number of a user, given by that number or by name; null when there is no such user. */
export async function findUid(user: string | number, kernel: Kernel): Promise<number | null> {
  if (typeof user === 'number' || /^\d{1,10}$/.test(user)) return Number(user);
  const { ok, stdout } = await kernel.run('id', ['-u', '--', user]);
  return ok ? Number(stdout) : null;
}
