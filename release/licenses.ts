import { type LockedPackage, runtimePackages } from './lock.ts';

/** All of them let whoever has the program use, change and pass it on, if they keep the notices. */
const PERMISSIVE: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
]);

/** Whether an SPDX expression leaves a way to take the package under permissive licences only. */
export function isPermissive(expression: string): boolean {
  const text = expression.replace(/^\((.*)\)$/, '$1');
  if (/[()]/.test(text)) return false;
  return text.split(' OR ').some(choice => choice.split(' AND ').every(licence => PERMISSIVE.has(licence)));
}

/** A line for each package that runs, by name: `MIT  hono 4.13.19`. */
export function listLicenses(lock: readonly LockedPackage[]): string {
  const packages = runtimePackages(lock).sort((a, b) => (a.name < b.name ? -1 : 1));
  return packages
    .map(({ name, version, license }) => `${(license ?? 'none').padEnd(12)}${name} ${version}\n`)
    .join('');
}
