import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'rolldown';

const PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;
const LICENSE = /^(licen[cs]e|copying|notice)/i;

/** A rolldown plugin that writes the licences of all packages with code in the bundle to `fileName`, as they ask for. */
export function bundledLicenses(fileName: string): Plugin {
  return {
    name: 'bundled-licenses',
    generateBundle(_, bundle) {
      const directories = new Map<string, string>();
      for (const output of Object.values(bundle)) {
        for (const id of output.type === 'chunk' ? output.moduleIds : []) {
          const [, directory, name] = PACKAGE.exec(id) ?? [];
          if (directory !== undefined && name !== undefined) directories.set(name, directory);
        }
      }
      const texts = [...directories].sort().map(([name, directory]) => {
        const files = readdirSync(directory).filter(file => LICENSE.test(file));
        if (files.length === 0) throw new Error(`${name} is bundled, and has no licence file`);
        const licenses = files.map(file => readFileSync(join(directory, file), 'utf8').trim());
        return [`== ${name}`, ...licenses].join('\n\n');
      });
      this.emitFile({ type: 'asset', fileName, source: `${texts.join('\n\n\n')}\n` });
    },
  };
}
