import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from './package-root.ts';

/** This program's version, from its package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
