import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type LogLine, TestDaemon } from '../support/daemon.ts';
import { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';

const MIB = 1024 * 1024;

interface Fault {
  readonly what: string;
  /** Puts it where the policy was. */
  readonly place: (path: string) => unknown;
  /** What the log says of it. */
  readonly says: RegExp;
}

const FAULTS: readonly Fault[] = [
  { what: 'nothing', place: () => {}, says: /does not exist \(check the path\)/ },
  {
    what: 'a directory without a file',
    place: path => mkdirSync(path),
    says: /holds no \*\.yaml or \*\.yml file/,
  },
  { what: 'a FIFO', place: path => execFileSync('mkfifo', [path]), says: /is not a regular file/ },
  {
    what: 'a socket',
    place: async path => {
      const server = createServer().listen(path);
      await once(server, 'listening');
      server.unref();
    },
    says: /is not a regular file/,
  },
  {
    what: 'a link to an endless device',
    place: path => symlinkSync('/dev/zero', path),
    says: /is not a regular file/,
  },
  {
    what: 'a link to itself',
    place: path => symlinkSync('policy.yaml', path),
    says: /too many symbolic links/,
  },
  { what: 'a sparse gigabyte', place: path => sparse(path, 1024 * MIB), says: /is larger than 64 MiB/ },
  { what: '4 MiB of NUL', place: path => sparse(path, 4 * MIB), says: /policy\.yaml:1:1: / },
  {
    what: 'NUL bytes',
    place: path => writeFileSync(path, 'version: 1\0\nrules: []\n'),
    says: /policy\.yaml:1:\d+: /,
  },
  {
    what: 'invalid UTF-8',
    place: path => writeFileSync(path, Buffer.from('version: 1\nmode: "\xff\xfe"\n', 'latin1')),
    says: /is not UTF-8 text/,
  },
  { what: 'an empty file', place: path => writeFileSync(path, ''), says: /policy\.yaml:1:1: / },
  { what: 'a YAML bomb', place: path => writeFileSync(path, bomb()), says: /aliases expand to too much/ },
  {
    what: 'deep nesting',
    place: path => writeFileSync(path, `a: ${'['.repeat(1e6)}`),
    says: /is nested too deeply/,
  },
  {
    what: 'nesting by a million dashes',
    place: path => writeFileSync(path, `${'- '.repeat(5e5)}a\n`),
    says: /is nested too deeply/,
  },
  {
    what: 'half a policy',
    place: path => writeFileSync(path, 'version: 1\nrules:\n  - name: cut\n    hos'),
    says: /policy\.yaml:\d+:\d+: /,
  },
];

function sparse(path: string, bytes: number): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

function bomb(): string {
  const levels = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
  return `version: 1\nl0: &l0 [x]\n${levels.join('\n')}\nrules: []\n`;
}

const policy = (rule: string) =>
  stringify({ version: 1, mode: 'enforce', rules: [{ name: rule, hosts: ['a.example'] }] });

const isReload = (result: string) => (line: LogLine) => line.event === 'reload' && line.result === result;

describe('where the running policy was there is', () => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let taken = 0;

  beforeAll(async () => {
    daemon = await TestDaemon.start({ policy: policy('first') });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());
  afterEach(() => rmSync(daemon.policyPath, { recursive: true, force: true }));

  it.each(FAULTS.map(fault => [fault.what, fault] as const))(
    '%s: said once, the policy stays, the next good file is taken',
    async (_, { place, says }) => {
      const from = daemon.lines.length;
      rmSync(daemon.policyPath, { recursive: true, force: true });
      await place(daemon.policyPath);
      const error = await daemon.line(line => line.event === 'reload_error', from);
      expect(error.msg).toMatch(says);
      await daemon.line(isReload('failure'), from);

      const good = `${daemon.policyPath}.good`;
      writeFileSync(good, policy(`taken-${++taken}`));
      rmSync(daemon.policyPath, { recursive: true, force: true });
      renameSync(good, daemon.policyPath);
      await daemon.line(isReload('success'), from);
      const failures = daemon.lines.slice(from).filter(isReload('failure'));
      expect(failures).toHaveLength(1);
      expect(residentMib(daemon)).toBeLessThan(400);
      expect((await fetch(`${daemon.admin}/-/ready`)).status).toBe(200);
      expect(await daemon.metric('sallyport_config_last_reload_successful')).toBe(1);
    },
    60_000,
  );

  it('a new one a hundred times a second, good and bad in turn: the last one is taken', async () => {
    const from = daemon.lines.length;
    for (let i = 0; i < 300; i++) {
      daemon.writePolicy(i % 2 === 0 ? policy(`turn-${i}`) : `version: 1\nrules: ${i}\n`);
      await setImmediate();
    }
    daemon.writePolicy(policy('last'));
    await until('the last one runs', async () => {
      const rules = await fetch(`${daemon.admin}/api/v1/rules`);
      return (await rules.text()).includes('"last"');
    });
    expect(daemon.lines.slice(from).filter(line => line.event === 'fatal')).toEqual([]);
  });

  it('a broken one, then the very same again: the failure is over', async () => {
    daemon.writePolicy(policy('same'));
    await until('it runs', async () => {
      return (await (await fetch(`${daemon.admin}/api/v1/rules`)).text()).includes('"same"');
    });
    const from = daemon.lines.length;
    daemon.writePolicy('rules: [');
    await daemon.line(isReload('failure'), from);
    expect(await daemon.metric('sallyport_config_last_reload_successful')).toBe(0);
    daemon.writePolicy(policy('same'));
    await daemon.line(isReload('unchanged'), from);
    expect(await daemon.metric('sallyport_config_last_reload_successful')).toBe(1);
  });
});

describe('where the policy is to be at start there is', () => {
  const AT_START = ['nothing', 'a FIFO', 'a link to an endless device', 'a sparse gigabyte', 'a YAML bomb'];

  it.each(FAULTS.filter(({ what }) => AT_START.includes(what)).map(fault => [fault.what, fault] as const))(
    '%s: says so and ends with 1',
    async (_, { place, says }) => {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-start-'));
      const at = join(directory, 'policy.yaml');
      await place(at);
      const daemon = TestDaemon.launch({ policy: policy('unused'), config: { policy: at } });
      expect(await daemon.exited).toEqual({ code: 1, signal: null });
      expect(daemon.output()).toMatch(says);
      expect(daemon.output()).not.toMatch(/^\s+at /m);
      rmSync(directory, { recursive: true });
      await daemon.stop();
    },
  );
});

function residentMib({ process: { pid } }: TestDaemon): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}
