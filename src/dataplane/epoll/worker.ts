import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { loadFfi } from './libc.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import { WorkerLoop } from './worker-loop.ts';

// The entry of a data plane thread. It never returns to Node's event loop: it sleeps in epoll_wait, and takes its
// messages when the main thread has signalled its eventfd.
if (parentPort === null) throw new Error('the data plane worker runs as a worker thread only');
const port = parentPort;
const worker = new WorkerLoop(loadFfi(), workerData as WorkerSetup, {
  receive: () => receiveMessageOnPort(port)?.message as ToWorker | undefined,
  send: (message: FromWorker) => port.postMessage(message),
});
worker.run();
