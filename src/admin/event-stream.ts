import type { LiveTail } from '../observe/live-tail.ts';

/** What one listener may leave unread; the next lines end it. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** Tells who is gone, and keeps those between us from ending a silent connection. */
const HEARTBEAT_MS = 15_000;
const NEWLINE = 10;

/**
 * The records of flows as server-sent events, one a line: `data: {…}`. A listener that is too slow is told so
 * (`event: lagged`) and ended: the filter does not wait for it, and keeps no more than 1 MiB for it.
 */
export function streamEvents(tail: LiveTail, heartbeatMs = HEARTBEAT_MS): ReadableStream<Uint8Array> {
  let end = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const beat = setInterval(() => controller.enqueue(encode(':\n\n')), heartbeatMs);
        const leave = tail.listen(lines => {
          if ((controller.desiredSize ?? 0) > 0) return controller.enqueue(framed(lines));
          controller.enqueue(encode('event: lagged\ndata: this listener is too slow\n\n'));
          controller.close();
          end();
        });
        end = () => {
          clearInterval(beat);
          leave();
        };
        // The answer begins with something, so that who asks knows that it has begun.
        controller.enqueue(encode(':\n\n'));
      },
      cancel: () => end(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
  );
}

/** Lines that end in a line break as events: `data: ` before each, an empty line behind. */
function framed(lines: Uint8Array): Uint8Array {
  const count = lines.reduce((sum, byte) => sum + (byte === NEWLINE ? 1 : 0), 0);
  const events = new Uint8Array(lines.length + count * (DATA.length + 1));
  let at = 0;
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(NEWLINE, start) + 1 || lines.length;
    events.set(DATA, at);
    events.set(lines.subarray(start, end), at + DATA.length);
    at += DATA.length + end - start;
    events[at++] = NEWLINE;
    start = end;
  }
  return events.subarray(0, at);
}

function encode(text: string): Uint8Array {
  return Buffer.from(text);
}

const DATA = encode('data: ');
