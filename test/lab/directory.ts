import { chmodSync, existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where `ip netns exec` finds files of a namespace that stand in for those of /etc (ip-netns(8)). */
const NETNS_FILES = '/etc/netns';
const KEPT = 'kept';

/** The directory with everything that the programs of a lab read and write. */
export function labDirectory(id: string): string {
  return join(tmpdir(), id);
}

/** Makes it; readable for all, as the programs run as different users. */
export function makeDirectory(path: string): string {
  mkdirSync(path);
  chmodSync(path, 0o755);
  return path;
}

/** Lets the programs in a namespace ask this DNS server. */
export function setResolver(namespace: string, server: string): void {
  mkdirSync(join(NETNS_FILES, namespace), { recursive: true });
  writeFileSync(join(NETNS_FILES, namespace, 'resolv.conf'), `nameserver ${server}\n`);
}

/** Removes all files of a lab; those that are gone do not matter. */
export function removeFiles(id: string, namespaces: readonly string[]): void {
  rmSync(labDirectory(id), { recursive: true, force: true, maxRetries: 5 });
  for (const name of namespaces) rmSync(join(NETNS_FILES, name), { recursive: true, force: true });
  try {
    rmdirSync(NETNS_FILES);
  } catch {
    // others have files there, or it is gone already
  }
}

/** Notes that a lab is meant to stand without its maker. */
export function markKept(id: string): void {
  writeFileSync(join(labDirectory(id), KEPT), '');
}

export function isKept(id: string): boolean {
  return existsSync(join(labDirectory(id), KEPT));
}
