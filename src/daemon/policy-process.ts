import { writeSync } from 'node:fs';
import { type LoadJob, loadCompiled } from '../config/load-compiled.ts';
import { encodeReply } from './policy-reply.ts';

// The program of the process that loads one policy: its argument is a LoadJob as JSON, its reply goes to stdout.
// Unhandled, Node would open its inspector: a door into the process.
process.on('SIGUSR1', () => {});
const job: LoadJob = JSON.parse(process.argv[2] ?? '');
// The yaml library asks the environment for LOG_TOKENS at every token: a sixth of its time, when that is the real
// environment. Nothing here needs one.
process.env = {};
const load = await loadCompiled(job);
for (const part of encodeReply(load)) {
  for (let written = 0; written < part.length; ) written += writeSync(1, part, written);
}
