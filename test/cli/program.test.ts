import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { packageVersion } from '../../src/version.ts';
import { fileWith, sallyport } from './support.ts';

describe('help', () => {
  it('lists every command with its summary, on stdout', async () => {
    const { code, out, err } = await sallyport(['--help']);
    expect([code, err]).toEqual([0, '']);
    const text = out.replace(/\s+/g, ' ');
    for (const { name } of COMMANDS) expect(text).toContain(`${name} `);
    for (const { summary } of COMMANDS) expect(text).toContain(summary);
  });

  it('goes to stderr, with exit code 2, when nothing is asked', async () => {
    const { code, out, err } = await sallyport([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: sallyport');
  });

  it.each(COMMANDS.map(command => [command.name, command] as const))(
    'of %s says what it does and takes',
    async (name, command) => {
      const { code, out } = await sallyport([name, '--help']);
      const text = out.replace(/\s+/g, ' ');
      expect(code).toBe(0);
      expect(text).toContain(`Usage: sallyport ${name}`);
      for (const part of [command.summary, command.details, ...command.options.map(({ flags }) => flags)]) {
        expect(text).toContain(part);
      }
    },
  );
});

describe('a command line that is wrong', () => {
  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['chekc'], /unknown command 'chekc'[\s\S]*check/],
    ['an unknown option', ['check', '--jsno'], /unknown option '--jsno'[\s\S]*--json/],
    ['an unknown option before the command', ['--verbose', 'check'], /unknown option '--verbose'/],
    ['a missing argument', ['explain'], /missing required argument/],
    ['an argument too many', ['version', 'now'], /too many arguments/],
    ['an option without its value', ['run', '-c'], /argument missing/],
    [
      'an unknown verb',
      ['discover', 'hide'],
      /discover hide: no such verb \(discover show, export or reset\)/,
    ],
    ['an unknown schema', ['schema', 'daemon'], /schema daemon: no such schema \(policy, config, preset\)/],
    [
      'an admin address that is none',
      ['status', '--admin', 'http://'],
      /--admin http:\/\/: no address \(write/,
    ],
  ])('%s: exit code 2, and why on stderr', async (_, args, why) => {
    const { code, out, err } = await sallyport(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });
});

describe('version', () => {
  it.each([['--version'], ['-V']])('%s is the number alone', async flag => {
    expect(await sallyport([flag])).toEqual({ code: 0, out: `${packageVersion()}\n`, err: '' });
  });

  it('names node and the platform too', async () => {
    const { code, out } = await sallyport(['version']);
    expect(code).toBe(0);
    for (const part of [packageVersion(), process.version, process.platform]) expect(out).toContain(part);
  });

  it('is JSON when asked for it', async () => {
    const { out } = await sallyport(['version', '--json']);
    expect(JSON.parse(out)).toEqual({
      sallyport: packageVersion(),
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    });
  });
});

describe('schema', () => {
  it.each([
    ['policy', 'policy.schema.json'],
    ['config', 'sallyport.schema.json'],
    ['preset', 'preset.schema.json'],
  ])('%s prints what config/schema/%s holds', async (which, file) => {
    const { code, out } = await sallyport(['schema', which]);
    expect([code, out]).toEqual([
      0,
      readFileSync(new URL(`../../config/schema/${file}`, import.meta.url), 'utf8'),
    ]);
  });
});

describe('run refuses to start', () => {
  it('without a configuration', async () => {
    const { code, out, err } = await sallyport(['run', '-c', '/nowhere/sallyport.yaml']);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('/nowhere/sallyport.yaml:1:1: does not exist (check the path)');
    expect(err).toContain('sallyport check /nowhere/sallyport.yaml');
  });

  it('on a broken configuration', async () => {
    const file = fileWith('version: 1\nlisteners: []\n', 'sallyport.yaml');
    const { code, err } = await sallyport(['run', '-c', file]);
    expect(code).toBe(1);
    expect(err).toContain(`${file}:2:`);
  });

  it('on a missing policy', async () => {
    const file = fileWith(
      'version: 1\nlisteners: [{ name: p, kind: explicit, address: "127.0.0.1:0" }]\n',
      'sallyport.yaml',
    );
    const { code, err } = await sallyport(['run', '-c', file]);
    expect(code).toBe(1);
    expect(err).toContain('policy.yaml:1:1: does not exist');
  });
});
