import fs from 'node:fs';

const STDOUT = 1;

/**
 * A descriptor for standard output that a full pipe does not block, where that can be had. A pipe is opened anew,
 * because O_NONBLOCK on the inherited one would hit every process that shares it; a write that blocks in the thread
 * pool would hold up `process.exit` until the reader reads. Sockets, and pipes of another user, stay as they are.
 */
export function openStdout(): number {
  try {
    if (!fs.fstatSync(STDOUT).isFIFO()) return STDOUT;
    return fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  } catch {
    return STDOUT;
  }
}
