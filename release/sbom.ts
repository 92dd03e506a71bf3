import { createHash } from 'node:crypto';
import { type LockedPackage, runtimePackages } from './lock.ts';

/** A bill of materials as CycloneDX 1.6 writes it: the parts of that format that are used. */
export interface Bom {
  readonly $schema: string;
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly serialNumber: string;
  readonly version: 1;
  readonly metadata: {
    readonly lifecycles: readonly [{ readonly phase: 'pre-build' }];
    readonly component: BomComponent;
  };
  readonly components: readonly BomComponent[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export interface BomComponent {
  readonly type: 'application' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  /** `optional`: installed on some platforms only. */
  readonly scope?: 'required' | 'optional';
  readonly purl: string;
  readonly hashes?: readonly [{ readonly alg: string; readonly content: string }];
  readonly licenses: readonly [
    { readonly license: { readonly id: string } } | { readonly expression: string },
  ];
}

/**
 * What runs, from the lock: no time and no chance is in it, so that the same lock makes the same bytes. `npm sbom` writes
 * both, and the name of the directory; with `--omit dev` npm 11.19 leaves out what development needs as well (yaml, zod).
 */
export function makeBom(lock: readonly LockedPackage[]): Bom {
  const own = lock.find(({ path }) => path === '');
  if (own === undefined) throw new Error('the lock has no entry for the package itself');
  // The same version may be installed in two places.
  const packages = [...new Map(runtimePackages(lock).map(locked => [purlOf(locked), locked])).values()];
  const refs = new Map(lock.map(locked => [locked.path, purlOf(locked)]));
  const needs = ({ path, needs }: LockedPackage) => ({
    ref: refs.get(path) ?? path,
    dependsOn: [...new Set(needs.map(needed => refs.get(needed)).filter(ref => ref !== undefined))].sort(),
  });
  const body = {
    metadata: {
      lifecycles: [{ phase: 'pre-build' }],
      component: { ...component(own), type: 'application' },
    },
    components: packages.map(locked => component(locked)),
    dependencies: [own, ...packages].map(needs),
  } as const;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
    version: 1,
    ...body,
  };
}

function component(locked: LockedPackage): BomComponent {
  const { path, name, version, license, integrity, isOptional } = locked;
  if (license === null) throw new Error(`${name}@${version} says no licence`);
  return {
    type: 'library',
    'bom-ref': purlOf(locked),
    name,
    version,
    ...(path === '' ? {} : { scope: isOptional ? 'optional' : 'required' }),
    purl: purlOf(locked),
    ...(integrity === null ? {} : { hashes: [hashOf(integrity)] }),
    licenses: [/^[\w.+-]+$/.test(license) ? { license: { id: license } } : { expression: license }],
  };
}

/** Package URL, https://github.com/package-url/purl-spec. */
function purlOf({ name, version }: LockedPackage): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

function hashOf(integrity: string): { alg: string; content: string } {
  const [, bits = '', base64 = ''] = /^sha(256|384|512)-([A-Za-z0-9+/]+=*)$/.exec(integrity) ?? [];
  if (bits === '') throw new Error(`${integrity} is no hash of SHA-2`);
  return { alg: `SHA-${bits}`, content: Buffer.from(base64, 'base64').toString('hex') };
}

/** RFC 9562 §5.8: version 8, made of what is hashed. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}
