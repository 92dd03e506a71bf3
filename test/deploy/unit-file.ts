import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The directory of the gateway guide. */
export const GATEWAY = fileURLToPath(new URL('../../config/deploy/gateway/', import.meta.url));

/** The values of a key in a systemd unit file, in order; the settings of the shipped units have no continued lines. */
export function unitValues(name: string, key: string): string[] {
  const lines = readFileSync(`${GATEWAY}${name}`, 'utf8').split('\n');
  return lines.filter(line => line.startsWith(`${key}=`)).map(line => line.slice(key.length + 1));
}
