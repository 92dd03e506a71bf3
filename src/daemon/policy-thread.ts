import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { type LoadJob, loadCompiled } from '../config/load-compiled.ts';

// The program of the thread that loads policies. It answers each job with a CompiledLoad.
if (parentPort === null) throw new Error('the policy loader runs as a worker thread only');
const port = parentPort;
// The yaml library asks the environment for LOG_TOKENS at every token: a sixth of the time it takes, when that is the
// real environment. Nothing here needs one.
process.env = {};
// Flows come first. On Linux this is the thread's own priority, elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
port.on('message', async (job: LoadJob) => {
  port.postMessage(await loadCompiled(job));
});
