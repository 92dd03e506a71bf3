import { spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { flush } from '../../src/cli/flush.ts';

it('waits until a slow reader has taken all', async () => {
  let read = '';
  const slow = new Writable({
    highWaterMark: 4,
    write: (chunk, _encoding, done) => {
      read += chunk;
      setImmediate(done);
    },
  });
  for (let i = 0; i < 100; i++) slow.write('0123456789');
  await flush(slow);
  expect(read).toHaveLength(1_000);
});

it('waits for no reader that has gone', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: ['pipe', 'ignore', 'ignore'] });
  await new Promise(resolve => child.once('exit', resolve));
  child.stdin.write('x'.repeat(1_000_000));
  await flush(child.stdin);
  await flush(child.stdin);
});
