import { spawn } from 'node:child_process';
import { constants, getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { type CompiledLoad, loadFailure } from '../config/load-compiled.ts';
import type { ThreadJob } from './policy-loader.ts';
import { ReplyReader } from './policy-reply.ts';

// The program of a thread that has one policy loaded by a process of its own. A process, unlike a thread, can be given
// a low priority with all its helpers, runs out of memory alone, and leaves nothing behind. Starting it holds up the
// thread that does so for 5 to 10 ms, the more the larger the daemon is: too long for the main thread.
if (parentPort === null) throw new Error('the policy loader runs as a worker thread only');
const port = parentPort;
const { job, heapMb } = workerData as ThreadJob;

/** The last of what a process says that fails. */
const STDERR_CHARS = 16 * 1024;

const loader = spawn(
  process.execPath,
  [
    `--max-old-space-size=${heapMb}`,
    // The collector's helpers would take another core from the flows.
    '--single-threaded-gc',
    fileURLToPath(new URL('./policy-process.js', import.meta.url)),
    JSON.stringify(job),
  ],
  { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } },
);
// At once, while the process has no threads that would keep the old one.
if (loader.pid !== undefined) setPriority(loader.pid, lowerPriority());

const reply = new ReplyReader();
let stderr = '';
loader.stdout.on('data', (bytes: Buffer) => reply.take(bytes));
loader.stderr.on('data', (bytes: Buffer) => {
  stderr = (stderr + bytes.toString('latin1')).slice(-STDERR_CHARS);
});
loader.once('error', error =>
  answer(loadFailure(job.path, `cannot be loaded: ${error.message}`, 'load it again')),
);
loader.once('close', (code, signal) => answer(reply.finish() ?? describeEnd(signal ?? `code ${code}`)));
// The one order there is: cancel.
port.once('message', () => loader.kill('SIGKILL'));

function lowerPriority(): number {
  const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority;
  return Math.min(PRIORITY_LOW, getPriority() + PRIORITY_BELOW_NORMAL);
}

function answer(load: CompiledLoad): void {
  port.postMessage(load);
  port.close();
}

function describeEnd(how: string): CompiledLoad {
  const fix = 'write fewer rules, or give sallyport more memory';
  if (stderr.includes('heap out of memory'))
    return loadFailure(job.path, `takes more than ${heapMb} MiB of memory to load`, fix);
  // Nobody else kills it: the kernel has, which picks whoever takes most.
  if (how === 'SIGKILL') return loadFailure(job.path, 'takes more memory to load than there is', fix);
  const why = stderr.split('\n').find(line => line.includes('Error')) ?? 'it did not say why';
  return loadFailure(job.path, `cannot be loaded: the loader ended with ${how}: ${why}`, 'load it again');
}
