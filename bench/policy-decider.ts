import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Policy } from '../src/policy/policy.ts';
import { queriesFor } from './policy-queries.ts';
import type { DeciderJob, ToDecider } from './policy-swap.ts';

// Decides without a break and takes policies as a data plane worker does, so that whatever holds it up shows as a gap.
if (parentPort === null) throw new Error('the decider runs as a worker thread only');
const port = parentPort;
const { shape, policy } = workerData as DeciderJob;
const queries = queriesFor(shape);
let current = Policy.from(policy);
let longestMs = 0;
port.postMessage('ready');
let lastMs = performance.now();
for (let i = 0; ; i++) {
  const query = queries[i % queries.length];
  if (query !== undefined) current.decide(query);
  const message: ToDecider | undefined = receiveMessageOnPort(port)?.message;
  if (message?.type === 'policy') current = Policy.from(message.policy);
  else if (message?.type === 'tell') {
    port.postMessage(longestMs);
    longestMs = 0;
  } else if (message?.type === 'stop') break;
  const nowMs = performance.now();
  longestMs = Math.max(longestMs, nowMs - lastMs);
  lastMs = nowMs;
}
