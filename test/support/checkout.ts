import { existsSync } from 'node:fs';

/** A path inside the checkout, wherever this file runs: from its source or from what the compiler made of it. */
export function checkoutUrl(path: string): URL {
  let directory = new URL('../', import.meta.url);
  while (!existsSync(new URL('package.json', directory))) {
    const parent = new URL('../', directory);
    if (parent.href === directory.href) throw new Error('no package.json above this file');
    directory = parent;
  }
  return new URL(path, directory);
}
