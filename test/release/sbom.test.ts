import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readLock, runtimePackages } from '../../release/lock.ts';
import { makeBom } from '../../release/sbom.ts';
import { runCommand } from '../support/command.ts';

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
const lock = readLock(text, 'sallyport');
const bom = makeBom(lock);

/** What CycloneDX 1.6 asks of the parts that are used. */
const component = z.strictObject({
  type: z.enum(['application', 'library']),
  'bom-ref': z.string().min(1),
  name: z.string().min(1),
  version: z.string().min(1),
  scope: z.enum(['required', 'optional']).optional(),
  purl: z.string().regex(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.+-]+$/),
  hashes: z
    .array(z.strictObject({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) }))
    .length(1)
    .optional(),
  licenses: z
    .array(
      z.union([
        z.strictObject({ license: z.strictObject({ id: z.string().regex(/^[\w.+-]+$/) }) }),
        z.strictObject({ expression: z.string() }),
      ]),
    )
    .length(1),
});
const cycloneDx = z.strictObject({
  $schema: z.literal('http://cyclonedx.org/schema/bom-1.6.schema.json'),
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  serialNumber: z
    .string()
    .regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
  version: z.literal(1),
  metadata: z.strictObject({ lifecycles: z.array(z.object({ phase: z.literal('pre-build') })), component }),
  components: z.array(component).min(1),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

describe('the bill of materials', () => {
  it('keeps the format', () => {
    expect(cycloneDx.parse(bom)).toEqual(bom);
  });

  it('has every package that runs, with version, licence and hash, and no other', () => {
    const runs = runtimePackages(lock);
    expect(bom.components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(
      runs.map(({ name, version }) => `${name}@${version}`).sort(),
    );
    for (const { hashes, licenses } of bom.components)
      expect([hashes?.length, licenses.length]).toEqual([1, 1]);
    expect(bom.components.map(({ name }) => name)).not.toContain('vitest');
  });

  it('refers to what it has', () => {
    const refs = [bom.metadata.component, ...bom.components].map(each => each['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    expect(bom.dependencies.map(({ ref }) => ref).sort()).toEqual([...refs].sort());
    for (const { dependsOn } of bom.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
    const needed = new Set(bom.dependencies.flatMap(({ dependsOn }) => dependsOn));
    expect(refs.filter(ref => !needed.has(ref))).toEqual([bom.metadata.component['bom-ref']]);
  });

  it('is the same for the same lock, and another for another', () => {
    expect(JSON.stringify(makeBom(readLock(text, 'sallyport')))).toBe(JSON.stringify(bom));
    const other = text.replace('"version": "3.3.4"', '"version": "3.3.5"');
    expect(makeBom(readLock(other, 'sallyport')).serialNumber).not.toBe(bom.serialNumber);
  });

  it('names no place to download from', () => {
    expect(JSON.stringify(bom).match(/https?:\/\/[^"]*/g)).toEqual([
      'http://cyclonedx.org/schema/bom-1.6.schema.json',
    ]);
  });

  it('has all that npm finds in the lock, as npm has it', async () => {
    const { code, stdout } = await runCommand('npm', [
      'sbom',
      '--sbom-format=cyclonedx',
      '--omit=dev',
      '--package-lock-only',
    ]);
    expect(code).toBe(0);
    const npms = JSON.parse(stdout) as typeof bom;
    const facts = ({ components }: typeof bom) =>
      components.map(({ purl, hashes, licenses, scope }) => ({ purl, hashes, licenses, scope }));
    expect(facts(npms).length).toBeGreaterThan(50);
    expect(facts(bom)).toEqual(expect.arrayContaining(facts(npms)));
  });
});
