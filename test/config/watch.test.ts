import { mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashSources, readPolicySources } from '../../src/config/read-file.ts';
import { type PolicyWatcher, UNREADABLE, type WatchOptions, watchPolicy } from '../../src/config/watch.ts';

let directory: string;
let watcher: PolicyWatcher | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-watch-'));
});
afterEach(async () => {
  await watcher?.close();
  watcher = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** Watches what is loaded, and hands out the changes one by one as they come. */
async function watching(
  path: string,
  options: Partial<WatchOptions> & { loaded?: string | null } = {},
): Promise<() => Promise<string>> {
  const { loaded: first, ...rest } = options;
  let loaded = first === undefined ? await hashOf(path) : first;
  const changes: string[] = [];
  const waiting: ((hash: string) => void)[] = [];
  watcher = await watchPolicy(path, {
    settleMs: 5,
    loadedSha256: () => loaded,
    onChange: async hash => {
      loaded = hash;
      const next = waiting.shift();
      if (next === undefined) changes.push(hash);
      else next(hash);
      return true;
    },
    ...rest,
  });
  return () => {
    const change = changes.shift();
    return change === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve(change);
  };
}

/** Events that the test makes: `look` resolves once the content was looked at again. */
function eventsByHand() {
  let event: () => void = () => {};
  let looked: () => void = () => {};
  const watchDirectories: WatchOptions['watchDirectories'] = async (_, onEvent) => {
    event = onEvent;
    return { add: () => looked(), close: async () => {} };
  };
  const look = () =>
    new Promise<void>(resolve => {
      looked = resolve;
      event();
    });
  return { look, watchDirectories };
}

/** A file of this content, watched by hand: what is offered, none of which is taken unless `isTaken` says so. */
async function offersOf(content: string, isTaken: (hash: string) => boolean = () => false) {
  const path = join(directory, 'policy.yaml');
  await writeFile(path, content);
  const offered: string[] = [];
  const { look, watchDirectories } = eventsByHand();
  watcher = await watchPolicy(path, {
    settleMs: 0,
    graceMs: 0,
    loadedSha256: () => sha256(content),
    onChange: async hash => {
      offered.push(hash);
      return isTaken(hash);
    },
    watchDirectories,
  });
  /** In one go: a look that is still under way must not find half a file. */
  const replace = async (text: string) => {
    await writeFile(join(directory, 'new'), text);
    await rename(join(directory, 'new'), path);
    await look();
    await look();
  };
  return { path, offered, look, replace };
}

async function hashOf(path: string): Promise<string | null> {
  const sources = await readPolicySources(path);
  return sources.ok ? hashSources(sources.value) : null;
}

function sha256(text: string): string {
  return hashSources({ files: [{ file: '', text, bytes: Buffer.from(text) }], presets: [] });
}

describe('a watched policy', () => {
  it('is seen to be written, and to be renamed over', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    const change = await watching(path);
    await writeFile(path, 'two');
    expect(await change()).toBe(sha256('two'));
    await writeFile(join(directory, 'new'), 'three');
    await rename(join(directory, 'new'), path);
    expect(await change()).toBe(sha256('three'));
    await writeFile(join(directory, 'new'), 'four');
    await rename(join(directory, 'new'), path);
    expect(await change()).toBe(sha256('four'));
  });

  it('is seen to be deleted and made again', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    const change = await watching(path);
    await rm(path);
    await writeFile(path, 'two');
    expect(await change()).toBe(sha256('two'));
  });

  it('is held against what is loaded already, so that a change before the watch began is seen', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'two');
    const change = await watching(path, { loaded: sha256('one') });
    expect(await change()).toBe(sha256('two'));
  });

  it('is seen to appear', async () => {
    const path = join(directory, 'policy.yaml');
    const change = await watching(path);
    await writeFile(path, 'one');
    expect(await change()).toBe(sha256('one'));
  });

  it.each([
    ['beside a file', 'policy.yaml', 'presets.d'],
    ['in a directory', 'policies', 'policies/presets.d'],
  ])('has presets of its own, %s: they are seen to appear, and to change', async (_, name, presets) => {
    const path = join(directory, name);
    if (name === 'policies') await mkdir(path);
    await writeFile(name === 'policies' ? join(path, 'a.yaml') : path, 'one');
    const change = await watching(path);
    await mkdir(join(directory, presets));
    await writeFile(join(directory, presets, 'own.yaml'), 'two');
    const first = await change();
    await writeFile(join(directory, presets, 'own.yaml'), 'three');
    const second = await change();
    expect([first === second, second]).toEqual([false, await hashOf(path)]);
  });

  it('is seen to be swapped as a ConfigMap is', async () => {
    await mkdir(join(directory, '..1'));
    await writeFile(join(directory, '..1', 'policy.yaml'), 'one');
    await symlink('..1', join(directory, '..data'));
    await symlink('..data/policy.yaml', join(directory, 'policy.yaml'));
    const change = await watching(join(directory, 'policy.yaml'));
    for (const [name, text] of [
      ['..2', 'two'],
      ['..3', 'three'],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'policy.yaml'), text);
      await symlink(name, join(directory, '..data_tmp'));
      await rename(join(directory, '..data_tmp'), join(directory, '..data'));
      expect(await change()).toBe(sha256(text));
    }
  });

  it('is seen to change in the directory that a link leads to', async () => {
    await mkdir(join(directory, 'there'));
    await mkdir(join(directory, 'here'));
    await writeFile(join(directory, 'there', 'p.yaml'), 'one');
    await symlink('../there/p.yaml', join(directory, 'here', 'policy.yaml'));
    const change = await watching(join(directory, 'here', 'policy.yaml'));
    await writeFile(join(directory, 'there', 'p.yaml'), 'two');
    expect(await change()).toBe(sha256('two'));
  });

  it('may be a directory', async () => {
    const path = join(directory, 'policy');
    await mkdir(path);
    await writeFile(join(path, 'a.yaml'), 'one');
    const change = await watching(path);
    await writeFile(join(path, 'a.yaml'), 'two');
    expect(await change()).toBe(sha256('two'));
    await writeFile(join(path, 'b.yaml'), 'three');
    expect(await change()).not.toBe(sha256('two'));
    await rm(join(path, 'b.yaml'));
    expect(await change()).toBe(sha256('two'));
  });
});

describe('a policy that cannot be read', () => {
  it.each<[string, (path: string) => Promise<unknown>]>([
    ['because it is gone', path => rm(path)],
    ['because it is empty', path => truncate(path)],
    ['because it is larger than any policy', path => truncate(path, 65 * 1024 * 1024)],
    [
      'because a directory without policies took its place',
      async path => {
        await rm(path);
        await mkdir(path);
      },
    ],
  ])('%s is offered once, so that loading says why', async (_, spoil) => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    const change = await watching(path, { graceMs: 5 });
    await spoil(path);
    expect(await change()).toBe(UNREADABLE);
  });

  it('is offered once for each fault', async () => {
    const { path, offered, look } = await offersOf('one');
    for (const spoil of [() => rm(path), () => mkdir(path)]) {
      const before = offered.length;
      await spoil();
      // The look that finds it, and the one when the grace is over.
      while (offered.length === before) await look();
      await look();
      await look();
    }
    await watcher?.close();
    expect(offered).toEqual([UNREADABLE, UNREADABLE]);
  });

  it.each<[string, (path: string) => Promise<unknown>]>([
    ['gone', path => rm(path)],
    ['empty', path => truncate(path)],
  ])('for a moment only, while it is %s, is no change', async (_, spoil) => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    const { look, watchDirectories } = eventsByHand();
    const change = await watching(path, { settleMs: 0, graceMs: 3_600_000, watchDirectories });
    await spoil(path);
    await look();
    await writeFile(path, 'two');
    await look();
    expect(await change()).toBe(sha256('two'));
  });
});

describe('a policy that was refused', () => {
  it('is offered again only when its content differs', async () => {
    const { offered, replace } = await offersOf('good');
    await replace('bad');
    await replace('worse');
    await watcher?.close();
    expect(offered).toEqual(['bad', 'worse'].map(sha256));
  });

  it('and put back is offered although it is loaded, so that the failure ends', async () => {
    const { offered, replace } = await offersOf('good', hash => hash === sha256('good'));
    for (const text of ['bad', 'good', 'good', 'bad']) await replace(text);
    await watcher?.close();
    expect(offered).toEqual(['bad', 'good', 'bad'].map(sha256));
  });
});

describe('no change', () => {
  async function watchingByHand(path: string) {
    const { look, watchDirectories } = eventsByHand();
    return { change: await watching(path, { settleMs: 0, watchDirectories }), look };
  }

  it('is made by a touch, a deletion or the same text again', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    const { change, look } = await watchingByHand(path);
    await utimes(path, 1, 1);
    await look();
    await rm(path);
    await look();
    await writeFile(path, 'one');
    await look();
    await writeFile(path, 'two');
    await look();
    expect(await change()).toBe(sha256('two'));
  });

  it('is looked for when a file is written that is no part of it', async () => {
    const path = join(directory, 'policy.txt');
    await writeFile(path, 'one');
    let event: (written?: string) => void = () => {};
    let looks = 0;
    const change = await watching(path, {
      settleMs: 0,
      watchDirectories: async (_, onEvent) => {
        event = onEvent;
        return { add: () => looks++, close: async () => {} };
      },
    });
    await writeFile(path, 'two');
    for (const name of ['egress.log', '.policy.txt.swp', 'policy.txt.log']) event(name);
    await new Promise(resolve => setTimeout(resolve, 1));
    expect(looks).toBe(1);
    event('policy.txt');
    expect(await change()).toBe(sha256('two'));
  });

  it('comes twice from a burst of events', async () => {
    const path = join(directory, 'policy.yaml');
    await writeFile(path, 'one');
    let event: () => void = () => {};
    let looks = 0;
    const change = await watching(path, {
      settleMs: 1,
      watchDirectories: async (_, onEvent) => {
        event = onEvent;
        return { add: () => looks++, close: async () => {} };
      },
    });
    await writeFile(path, 'two');
    for (let i = 0; i < 100; i++) event();
    expect(await change()).toBe(sha256('two'));
    expect(looks).toBe(2);
  });
});
