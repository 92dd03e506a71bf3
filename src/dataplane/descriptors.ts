import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Descriptors that are not flows': the runtime's, listeners, DNS (up to 128 lookups), admin, logs. */
const RESERVED_DESCRIPTORS = 256;
/** Two sockets a flow, and for some of them a pipe. */
const DESCRIPTORS_PER_FLOW = 3;
/** Where /proc does not tell. */
const COMMON_LIMIT = 1024;
/** `unlimited` is what the kernel allows a process: fs.nr_open, as it comes. */
const KERNEL_LIMIT = 1_048_576;
const LEAST_FLOWS = 16;
/** The shares of all descriptors at which accepting pauses and goes on. */
const PAUSE_SHARE = 0.95;
const RESUME_SHARE = 0.85;

/** What a data plane says of the descriptors that it accepts with. */
export interface DescriptorReport {
  /** Connections wait, because nearly all descriptors are in use. */
  readonly isPaused: boolean;
  /** Connections that were reset since the last report, because there was no descriptor at all. */
  readonly shed: number;
}

/** How many flows the limit of open descriptors affords: what `limits.flows: auto` comes to. */
export function affordableFlows(): number {
  const flows = Math.floor((descriptorLimit() - RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_FLOW);
  return Math.max(LEAST_FLOWS, flows);
}

/** The soft RLIMIT_NOFILE, which Node raises to the hard one when it starts. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    if (soft === 'unlimited') return KERNEL_LIMIT;
    return soft === undefined ? COMMON_LIMIT : Number(soft);
  } catch {
    return COMMON_LIMIT;
  }
}

/** Between these, accepting stays as it is: so it does not stop and go with every flow. */
export function descriptorMarks(limit: number): { readonly pauseAt: number; readonly resumeAt: number } {
  return { pauseAt: Math.floor(limit * PAUSE_SHARE), resumeAt: Math.floor(limit * RESUME_SHARE) };
}

/** How many descriptors this process has open, whoever opened them; 0 where the system does not tell. */
export function openDescriptors(): number {
  try {
    // Since Linux 6.2 the size is the number; before, they have to be listed, for which one more is opened.
    const { size } = statSync('/proc/self/fd');
    return size > 0 ? size : readdirSync('/proc/self/fd').length - 1;
  } catch (error) {
    return isExhausted(error) ? Number.POSITIVE_INFINITY : 0;
  }
}

function isExhausted(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'EMFILE' || code === 'ENFILE';
}
