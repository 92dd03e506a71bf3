/** Smaller ones are not worth it. */
const LEAST_BYTES = 1024 * 1024;
/** V8 begins to collect at 64 MiB: of old policies there is half as much at most. */
const FACTOR = 2;

/**
 * Something as heavy as a shared buffer, to be held beside it. V8 counts shared memory as nobody's, so a thread that
 * makes little garbage would keep the policies of many reloads before it has reason to collect. This is counted; it is
 * address space that is never touched, and takes no memory. Null where it is not needed or cannot be had.
 */
export function weightOf(buffer: SharedArrayBuffer): ArrayBuffer | null {
  if (buffer.byteLength < LEAST_BYTES) return null;
  const bytes = FACTOR * buffer.byteLength;
  try {
    // A resizable buffer is mapped page by page; any other may be taken from used memory, and cleared.
    return new ArrayBuffer(bytes, { maxByteLength: bytes });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
