import { readFileSync } from 'node:fs';
import { isPermissive, listLicenses } from './licenses.ts';
import { readLock, runtimePackages } from './lock.ts';
import { makeBom } from './sbom.ts';

const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
const lock = readLock(readFileSync('package-lock.json', 'utf8'), name);
const [what] = process.argv.slice(2);

if (what === 'sbom') {
  process.stdout.write(`${JSON.stringify(makeBom(lock), null, 2)}\n`);
} else if (what === 'licenses') {
  process.stdout.write(listLicenses(lock));
  const others = runtimePackages(lock).filter(({ license }) => license === null || !isPermissive(license));
  for (const other of others) process.stderr.write(`not permissive: ${other.name} (${other.license})\n`);
  process.exitCode = others.length === 0 ? 0 : 1;
} else {
  process.stderr.write('usage: main.js sbom|licenses\n');
  process.exitCode = 2;
}
