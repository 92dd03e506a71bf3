import type { DataPlane, DataPlaneOptions } from '../dataplane/data-plane.ts';

/**
 * Starts the data plane that the configuration asks for. `auto` takes epoll, and the portable one where epoll cannot
 * be had; `onFallback` hears why. Throws ListenError.
 */
export async function startDataPlane(
  kind: 'auto' | 'epoll' | 'portable',
  options: DataPlaneOptions,
  onFallback: (cause: unknown) => void,
): Promise<DataPlane> {
  if (kind !== 'portable') {
    const { loadFfi } = await import('../dataplane/epoll/libc.ts');
    const ffi = attempt(loadFfi);
    if (ffi.ok || kind === 'epoll') {
      const { startEpollPlane } = await import('../dataplane/epoll/epoll-plane.ts');
      return startEpollPlane(options);
    }
    onFallback(ffi.error);
  }
  const { startPortablePlane } = await import('../dataplane/portable/portable-plane.ts');
  return startPortablePlane(options);
}

function attempt(act: () => unknown): { ok: true } | { ok: false; error: unknown } {
  try {
    act();
    return { ok: true };
  } catch (error) {
    return { ok: false, error };
  }
}
