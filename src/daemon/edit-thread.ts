import { parentPort, workerData } from 'node:worker_threads';
import { planChange } from '../config/plan-change.ts';
import type { EditJob } from './edit-planner.ts';

// The program of the thread that works out a change of the policy. It answers with a ChangePlan and ends.
if (parentPort === null) throw new Error('the policy editor runs as a worker thread only');
// The yaml library asks the environment at every token; see policy-thread.ts.
process.env = {};
const { path, change, nowMs, defaults } = workerData as EditJob;
parentPort.postMessage(await planChange(path, change, nowMs, defaults));
