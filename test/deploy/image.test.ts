import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLock, runtimePackages } from '../../release/lock.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NOBODY = '65534';
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const canConfine = spawnSync('unshare', ['--mount', 'setpriv', '-V'], { stdio: 'ignore' }).status === 0;

/** What the image sets for whatever runs in it. */
const ENVIRONMENT = [...read('Dockerfile').matchAll(/^ENV (.+)$/gm)].map(([, setting]) => setting).join(' ');

/** As a container runs it: another user, nothing that root may, and no file that can be written. */
const CONFINED = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `set -e
   for configuration; do :; done
   directory=$(dirname "$configuration")
   chmod -R a+rX "$directory"
   for tree in "$0" "$directory"; do mount --bind "$tree" "$tree"; mount -o remount,bind,ro "$tree"; done
   mount -o remount,bind,ro /
   exec env -i ${ENVIRONMENT} setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"`,
];

describe('the image', () => {
  const dockerfile = read('Dockerfile');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );

  it('is made of files that are there and sent to the builder', () => {
    const ignore = read('.dockerignore').split('\n');
    expect(ignore[0]).toBe('*');
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) {
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(ignore).toContain(`!${path.replace(/^\.\//, '')}`);
    }
  });

  it('runs no install script, and runs as nobody in particular', () => {
    const installs = dockerfile.match(/npm (ci|install).*/g) ?? [];
    expect(installs.length).toBe(2);
    for (const install of installs) expect(install).toContain('--ignore-scripts');
    expect(dockerfile).toMatch(/^FROM gcr\.io\/distroless\/nodejs24-debian12:nonroot$/m);
    expect(dockerfile).toMatch(/^USER nonroot$/m);
    expect(dockerfile).not.toMatch(/^(ARG|ENV) .*(TOKEN|SECRET|PASSWORD|KEY)/im);
  });
});

describe.skipIf(!canConfine)(
  `what is in the image${canConfine ? '' : ' (skipped: needs root, unshare and setpriv)'}`,
  () => {
    const scope = new Scope();
    let app: string;

    /** The tree of the image's last stage: what runs, without what builds it. */
    beforeAll(async () => {
      app = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
      scope.defer(() => rmSync(app, { recursive: true }));
      const packages = runtimePackages(readLock(read('package-lock.json'), 'sallyport'));
      // Those of other platforms are not installed.
      const installed = packages.map(({ path }) => path).filter(path => existsSync(join(ROOT, path)));
      for (const path of ['dist', 'config', 'package.json', 'LICENSE', ...installed]) {
        cpSync(join(ROOT, path), join(app, path), { recursive: true });
      }
      spawnSync('chmod', ['-R', 'a+rX', app]);
    });
    afterAll(() => scope.close());

    it('is enough for its configuration and its commands', async () => {
      const main = join(app, 'dist/main.js');
      const run = (...args: string[]) =>
        runCommand('sh', ['-c', 'cd "$0" && exec "$@"', app, process.execPath, main, ...args]);
      expect(await run('check')).toMatchObject({
        code: 0,
        stdout: 'config/sallyport.yaml: ok (daemon)\nconfig/policy.yaml: ok (policy)\n'.replaceAll(
          'config/policy',
          `${app}/config/policy`,
        ),
      });
      expect((await run('explain', 'registry-1.docker.io', '--policy', 'config/policy.yaml')).code).toBe(0);
    });

    describePlanes('as nobody, without a capability, on a tree that cannot be written', dataplane => {
      let daemon: TestDaemon;
      let upstream: Upstream;

      beforeAll(async () => {
        upstream = await Upstream.listen();
        scope.defer(() => upstream.close());
        daemon = await startEgress({
          dataplane,
          upstreamPort: upstream.port,
          limits: { drainTimeout: '100ms' },
          prefix: [...CONFINED, app],
          main: join(app, 'dist/main.js'),
        });
        scope.defer(() => daemon.kill());
      });

      it('it is what it seems', () => {
        const status = readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8');
        const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1];
        expect(field('Uid')).toBe(Array.from({ length: 4 }, () => NOBODY).join('\t'));
        expect(['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(field)).toEqual(
          Array.from({ length: 5 }, () => '0000000000000000'),
        );
        expect([field('NoNewPrivs'), field('Groups')?.trim()]).toEqual(['1', '']);
      });

      it('an explicit listener serves', async () => {
        const client = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstream.port);
        const hello = buildClientHello({ serverName: 'allowed.example' });
        await client.send(hello);
        const served = await upstream.peer(0);
        expect(await served.atLeast(hello.length)).toEqual(Buffer.from(hello));
      });

      it('a sni listener serves, and refuses', async () => {
        const [allowed, denied] = [await Peer.dial(daemon.port('tls')), await Peer.dial(daemon.port('tls'))];
        const hello = buildClientHello({ serverName: 'allowed.example' });
        await allowed.send(hello);
        const served = await upstream.peer(1);
        expect(await served.atLeast(hello.length)).toEqual(Buffer.from(hello));
        await denied.send(buildClientHello({ serverName: 'denied.example' }));
        await denied.end();
        expect((await daemon.flow(denied.port)).decision).toMatchObject({ action: 'deny' });
      });

      it('the policy is read, and cannot be written', async () => {
        const answer = await fetch(`${daemon.admin}/api/v1/allow`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"hosts":["new.example"]}',
        });
        expect([answer.status, await answer.json()]).toMatchObject([
          409,
          { refusal: 'unwritable', error: expect.stringContaining('read-only file system') },
        ]);
        expect((await fetch(`${daemon.admin}/-/reload`, { method: 'POST' })).status).toBe(200);
      });

      it('it says nothing but its log, and ends when it is told to', async () => {
        daemon.process.kill('SIGTERM');
        expect(await daemon.exited).toEqual({ code: 0, signal: null });
        expect(daemon.otherOutput).toEqual([]);
      });
    });
  },
);
