import { z } from 'zod';

const entry = z.object({
  version: z.string(),
  license: z.string().optional(),
  integrity: z.string().optional(),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});
const lockFile = z.object({ lockfileVersion: z.literal(3), packages: z.record(z.string(), entry) });

/** One package as package-lock.json pins it. */
export interface LockedPackage {
  /** Where it is installed: `node_modules/libsql/node_modules/detect-libc`; empty for the package itself. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression; null when it says none. */
  readonly license: string | null;
  /** Subresource integrity of its archive: `sha512-…`; null for the package itself. */
  readonly integrity: string | null;
  /** Needed to build and test only. */
  readonly isDev: boolean;
  /** Of a platform, and left out on others. */
  readonly isOptional: boolean;
  readonly hasInstallScript: boolean;
  /** The paths of what it needs and the lock has. */
  readonly needs: readonly string[];
}

/** Reads the text of a package-lock.json. Throws ZodError when it is none of version 3. */
export function readLock(text: string, name: string): LockedPackage[] {
  const { packages } = lockFile.parse(JSON.parse(text));
  return Object.entries(packages).map(([path, locked]) => ({
    path,
    name: path === '' ? name : path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    version: locked.version,
    license: locked.license ?? null,
    integrity: locked.integrity ?? null,
    isDev: locked.dev,
    isOptional: locked.optional,
    hasInstallScript: locked.hasInstallScript,
    needs: Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })
      .map(needed => resolve(packages, path, needed))
      .filter(found => found !== null),
  }));
}

/** The packages that run, without the package itself. */
export function runtimePackages(lock: readonly LockedPackage[]): LockedPackage[] {
  return lock.filter(({ path, isDev }) => path !== '' && !isDev);
}

/** As Node looks for it: beside what needs it, then one level up after the other. */
function resolve(packages: Readonly<Record<string, unknown>>, from: string, name: string): string | null {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (Object.hasOwn(packages, path)) return path;
    if (base === '') return null;
  }
}
