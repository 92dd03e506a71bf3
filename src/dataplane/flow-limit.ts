import { readFileSync } from 'node:fs';

/** Descriptors that are not flows': the runtime's, listeners, DNS, admin, logs. */
const RESERVED_DESCRIPTORS = 256;
/** Two sockets a flow, and for some of them a pipe. */
const DESCRIPTORS_PER_FLOW = 3;
/** Where /proc does not tell. */
const COMMON_LIMIT = 1024;
/** `unlimited` is what the kernel allows a process: fs.nr_open, as it comes. */
const KERNEL_LIMIT = 1_048_576;
const LEAST_FLOWS = 16;

/** How many flows the limit of open descriptors affords: what `limits.flows: auto` comes to. */
export function affordableFlows(): number {
  const flows = Math.floor((descriptorLimit() - RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_FLOW);
  return Math.max(LEAST_FLOWS, flows);
}

/** The soft RLIMIT_NOFILE, which Node raises to the hard one when it starts. */
function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    if (soft === 'unlimited') return KERNEL_LIMIT;
    return soft === undefined ? COMMON_LIMIT : Number(soft);
  } catch {
    return COMMON_LIMIT;
  }
}
