import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { loadFfi } from '../dataplane/epoll/libc.ts';
import type { ToWorker, WorkerSetup } from '../dataplane/epoll/messages.ts';
import { WorkerLoop } from '../dataplane/epoll/worker-loop.ts';
import { Reporter, type ReporterSettings } from '../observe/reporter.ts';

// The program of a data plane thread. It never returns to Node's event loop: it sleeps in epoll_wait, and takes its
// messages when the main thread has signalled its eventfd.
if (parentPort === null) throw new Error('the data plane worker runs as a worker thread only');
const port = parentPort;
const { setup, settings } = workerData as { setup: WorkerSetup; settings: ReporterSettings };
const loop = new WorkerLoop(
  loadFfi(),
  setup,
  {
    receive: () => receiveMessageOnPort(port)?.message as ToWorker | undefined,
    send: message => port.postMessage(message),
  },
  new Reporter(settings),
);
loop.run();
