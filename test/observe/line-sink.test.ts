import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LineSink, type WriteDone } from '../../src/observe/line-sink.ts';

let directory: string;
let open: number[];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'line-sink-'));
  open = [];
});

afterEach(() => {
  for (const fd of open) fs.closeSync(fd);
  fs.rmSync(directory, { recursive: true });
});

function openFile(): { fd: number; content: () => string } {
  const file = path.join(directory, 'log');
  const fd = fs.openSync(file, 'w');
  open.push(fd);
  return { fd, content: () => fs.readFileSync(file, 'utf8') };
}

/** Both ends of a named pipe, neither of which blocks. */
async function openPipe(): Promise<{ reader: number; writer: number }> {
  const file = path.join(directory, 'pipe');
  await once(spawn('mkfifo', [file]), 'exit');
  const reader = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  const writer = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  open.push(writer);
  return { reader, writer };
}

/** Writes until nothing more goes in; returns how much did. */
function fillPipe(writer: number): number {
  let bytes = 0;
  try {
    for (;;) bytes += fs.writeSync(writer, Buffer.alloc(4_096));
  } catch {
    return bytes;
  }
}

const LINE = `${'x'.repeat(99)}\n`;

test('lines arrive whole and in order', async () => {
  const { fd, content } = openFile();
  const sink = new LineSink({ fd });
  const lines = Array.from({ length: 5_000 }, (_, i) => `line ${i} é\n`);
  for (const line of lines) sink.write(line);
  await sink.flush(10_000);
  expect(content()).toBe(lines.join(''));
  expect(sink.dropped).toBe(0);
});

describe('a chunk of lines in bytes', () => {
  test('arrives whole and in its place among the others', async () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd });
    sink.write('first\n');
    sink.write(new TextEncoder().encode('second\nthird é\n'));
    sink.write('fourth\n');
    await sink.flush(10_000);
    expect(content()).toBe('first\nsecond\nthird é\nfourth\n');
  });

  test('that is part of a larger buffer brings nothing of the rest', async () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd });
    sink.write(new TextEncoder().encode('before\nours\nafter\n').subarray(7, 12));
    await sink.flush(10_000);
    expect(content()).toBe('ours\n');
  });

  test('that is past the bound costs each of its lines, and no part of it is written', async () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd, maxPending: 10 });
    sink.write(new TextEncoder().encode('1234\n'));
    sink.write(new TextEncoder().encode('a\nb\nc\n'));
    await sink.flush(10_000);
    expect([content(), sink.dropped]).toEqual(['1234\n', 3]);
  });

  test('written before flushSync is there when that returns', () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd });
    sink.write(new TextEncoder().encode('last\nwords\n'));
    sink.flushSync();
    expect(content()).toBe('last\nwords\n');
  });
});

describe('much at once', () => {
  /** A sink whose writes succeed; `took` hears what each wrote. */
  function sinkOf(took: (slice: string) => void) {
    return new LineSink({
      fd: -1,
      write: (bytes, wrote) => {
        took(Buffer.from(bytes).toString());
        setImmediate(() => wrote(null, bytes.length));
      },
    });
  }

  test('is written in slices of whole lines, none above 128 KiB', async () => {
    const slices: string[] = [];
    const lines = LINE.repeat(12_000);
    const whole = new Promise<void>(resolve => {
      let length = 0;
      const sink = sinkOf(slice => {
        slices.push(slice);
        length += slice.length;
        if (length === lines.length) resolve();
      });
      sink.write(lines);
    });
    await whole;
    expect(slices.join('')).toBe(lines);
    expect(slices.length).toBe(10);
    for (const slice of slices) expect([slice.length <= 131_072, slice.at(-1)]).toEqual([true, '\n']);
  });

  test('is written in larger slices, the more it is', async () => {
    const lengths: number[] = [];
    const sink = sinkOf(slice => lengths.push(slice.length));
    sink.write(LINE.repeat(64_000));
    await sink.flush(10_000);
    expect([lengths[0], lengths.at(-1)]).toEqual([400_000, expect.toSatisfy(length => length <= 131_072)]);
  });

  test('that is one line is written in parts', async () => {
    let text = '';
    const sink = sinkOf(slice => {
      text += slice;
    });
    const line = `${'y'.repeat(300_000)}\n`;
    sink.write(line);
    await sink.flush(10_000);
    expect([text === line, sink.dropped]).toEqual([true, 0]);
  });
});

describe('lines in memory that is lent', () => {
  /** Lends `lines`; the memory is written over as soon as it is given back. */
  function lend(sink: LineSink, lines: string, given: string[]): void {
    const bytes = new TextEncoder().encode(lines);
    sink.write(bytes, () => {
      given.push(lines);
      bytes.fill(0x3f);
    });
  }

  test('arrive whole and in their place, and the memory is given back once each, in order', async () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd });
    const given: string[] = [];
    sink.write('first\n');
    lend(sink, 'second\n', given);
    lend(sink, 'third\n', given);
    sink.write('fourth\n');
    lend(sink, 'fifth\n', given);
    await sink.flush(10_000);
    expect(content()).toBe('first\nsecond\nthird\nfourth\nfifth\n');
    expect(given).toEqual(['second\n', 'third\n', 'fifth\n']);
  });

  test('are given back when they are lost: past the bound, and to an error', async () => {
    const given: string[] = [];
    const { sink, content } = troubledSink('fails');
    lend(sink, `${'x'.repeat(999)}\n`, given);
    lend(sink, 'too much\n', given);
    expect(given).toEqual(['too much\n']);
    await sink.flush(10_000);
    expect([content(), given.length, sink.dropped]).toEqual(['', 2, 2]);
  });

  test('are given back by flushSync, once they are written', () => {
    const { fd, content } = openFile();
    const sink = new LineSink({ fd });
    const given: string[] = [];
    sink.write('first\n');
    lend(sink, 'last words\n', given);
    sink.flushSync();
    expect([content(), given]).toEqual(['first\nlast words\n', ['last words\n']]);
  });

  test('are written to their end after a write that took a part, and stand on a line of their own after a torn one', async () => {
    const given: string[] = [];
    // A part of the first, which then fails: what comes next must not run into it.
    const { sink, content } = troubledSink(3, 'fails');
    lend(sink, 'abcdef\n', given);
    lend(sink, 'ghi\n', given);
    await sink.flush(10_000);
    expect([content(), given, sink.dropped]).toEqual(['abc\nghi\nlost 1\n', ['abcdef\n', 'ghi\n'], 1]);
  });
});

test('a flush of nothing resolves', async () => {
  await new LineSink({ fd: openFile().fd }).flush(10_000);
});

test('what waits is written before flushSync returns', () => {
  const { fd, content } = openFile();
  const sink = new LineSink({ fd });
  sink.write('last\n');
  sink.write('words\n');
  sink.flushSync();
  expect(content()).toBe('last\nwords\n');
});

/** A sink that says what was lost, on a descriptor whose next writes come to what is given. */
function troubledSink(...outcomes: readonly ('fails' | number)[]) {
  const { fd, content } = openFile();
  const left = [...outcomes];
  const write = (bytes: Uint8Array, done: WriteDone) => {
    const outcome = left.shift();
    if (outcome === 'fails')
      setImmediate(() => done(Object.assign(new Error('full'), { code: 'ENOSPC' }), 0));
    else fs.write(fd, bytes, 0, outcome ?? bytes.length, done);
  };
  const sink = new LineSink({ fd, maxPending: 1_000, write });
  sink.tellLostTo(lines => sink.write(`lost ${lines}\n`));
  const say = async (...lines: readonly string[]) => {
    for (const line of lines) sink.write(`${line}\n`);
    await sink.flush(10_000);
  };
  return { sink, say, content };
}

describe('lines that are lost are said', () => {
  test('once what comes later is written', async () => {
    const { sink, say, content } = troubledSink('fails', 'fails');
    await say('a', 'b');
    await say('c');
    expect([content(), sink.dropped]).toEqual(['', 3]);
    await say('d');
    await say('e');
    expect([content(), sink.dropped]).toEqual(['d\nlost 3\ne\n', 3]);
  });

  test('again, when the line that said so was lost as well', async () => {
    const { sink, say, content } = troubledSink('fails', 2, 'fails');
    await say('a');
    // Written, and it said so; that line meets the next error.
    await say('b');
    expect([content(), sink.dropped]).toEqual(['b\n', 2]);
    await say('c');
    expect([content(), sink.dropped]).toEqual(['b\nc\nlost 2\n', 2]);
  });

  test('when they were past the bound', async () => {
    const { sink, say, content } = troubledSink();
    sink.write('first\n');
    sink.write(`${'x'.repeat(1_000)}\n`);
    await say();
    expect([content(), sink.dropped]).toEqual(['first\nlost 1\n', 1]);
  });

  test('when they never came here', async () => {
    const { say, sink, content } = troubledSink();
    await say('a');
    sink.lost(5);
    await say('b');
    expect(content()).toBe('a\nb\nlost 5\n');
  });

  test('and one that was written in part spoils no other', async () => {
    const { sink, say, content } = troubledSink(3, 'fails', 'fails');
    await say('first');
    await say('second');
    await say('third');
    expect([content(), sink.dropped]).toEqual(['fir\nthird\nlost 2\n', 2]);
  });
});

describe.skipIf(process.platform !== 'linux')('a pipe', () => {
  test('that nobody reads costs lines past the bound, and no wait', async () => {
    const { reader, writer } = await openPipe();
    const sink = new LineSink({ fd: writer, maxPending: 100_000 });
    for (let i = 0; i < 10_000; i++) sink.write(LINE);
    await sink.flush(1);
    expect(sink.dropped).toBeGreaterThan(7_000);
    sink.flushSync();
    expect(sink.dropped).toBeLessThan(10_000);
    // Nothing of it may be left to write when the descriptor is closed and its number used again.
    fs.closeSync(reader);
    await sink.flush(10_000);
  });

  test('that is read late gets every line in the end', async () => {
    const { reader, writer } = await openPipe();
    open.push(reader);
    const before = fillPipe(writer);
    const sink = new LineSink({ fd: writer });
    for (let i = 0; i < 10_000; i++) sink.write(LINE);
    // Behind the sink's write in the thread pool's queue: once it is back, that write has met the full pipe.
    await fs.promises.stat(directory);
    await fs.promises.stat(directory);
    let bytes = 0;
    const buffer = Buffer.alloc(256 * 1024);
    let isFlushed = false;
    const flushed = sink.flush(60_000).then(() => {
      isFlushed = true;
    });
    const drain = () => {
      try {
        bytes += fs.readSync(reader, buffer);
      } catch {
        // Nothing there yet.
      }
    };
    while (!isFlushed) {
      drain();
      await new Promise(resolve => setImmediate(resolve));
    }
    await flushed;
    drain();
    expect(bytes).toBe(before + 10_000 * LINE.length);
    expect(sink.dropped).toBe(0);
  });

  test('that was closed costs its lines, and neither the process nor a wait', async () => {
    const { reader, writer } = await openPipe();
    fs.closeSync(reader);
    const sink = new LineSink({ fd: writer });
    sink.write(LINE);
    sink.write(LINE);
    await sink.flush(10_000);
    expect(sink.dropped).toBe(2);
    sink.write(LINE);
    sink.flushSync();
    expect(sink.dropped).toBe(3);
  });
});
