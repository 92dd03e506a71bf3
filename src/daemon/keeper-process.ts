import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromKeeper } from '../observe/store/messages.ts';
import type { KeeperLine } from '../observe/store/site-store.ts';

const HEAP_MB = 512;
/** What the driver does at bytes that it did not expect. */
const CRASHES: ReadonlySet<NodeJS.Signals> = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL']);
/** How long it may take to end by itself when told to. */
const END_MS = 500;

/**
 * The keeper of the file `path`, in a process of its own. Not a thread: the driver aborts the whole process when its
 * thread is ended inside a call, as `process.exit` does, and a disk that hangs would hold up the exit. A keeper that
 * has ended is started again by the next message.
 */
export function keeperProcess(
  path: string,
  hear: (message: FromKeeper) => void,
  program = new URL('./site-keeper.js', import.meta.url),
): KeeperLine {
  let child: ChildProcess | null = null;
  let isOpened = false;
  let isEnding = false;

  function start(): ChildProcess {
    const started = fork(fileURLToPath(program), [path], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    isOpened = false;
    started.on('message', (message: FromKeeper) => {
      isOpened ||= message.type === 'opened';
      // A process that failed to open the file may hold a lock on it for as long as it lives.
      if (message.type === 'failed' && !message.isOpen && child === started) {
        child = null;
        started.kill('SIGKILL');
      }
      hear(message);
    });
    started.once('error', error => lost(started, error.message, false));
    started.once('exit', (code, signal) =>
      lost(started, signal ?? `exit code ${code}`, !isOpened && signal !== null && CRASHES.has(signal)),
    );
    started.unref();
    started.channel?.unref();
    return started;
  }

  function lost(which: ChildProcess, cause: string, isSuspect: boolean): void {
    if (child !== which) return;
    child = null;
    if (isEnding) return;
    hear({
      type: 'failed',
      message: `the process that keeps it has ended: ${cause}`,
      isOpen: false,
      isSuspect,
    });
  }

  return {
    send: message => {
      child ??= start();
      // A keeper that ends meanwhile is reported by its exit.
      child.send(message, () => {});
    },
    end: async () => {
      isEnding = true;
      if (child === null || child.exitCode !== null) return;
      const ended = once(child, 'exit');
      const timer = setTimeout(() => child?.kill('SIGKILL'), END_MS);
      child.ref();
      await ended;
      clearTimeout(timer);
    },
  };
}
