#!/usr/bin/env node
import { flush } from './cli/flush.ts';
import { processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

// A reader that goes away in the middle (`| head`) is nothing to fail for.
const outClosed = new AbortController();
process.stdout.on('error', () => outClosed.abort());
process.stderr.on('error', () => {});
const code = await runProgram(process.argv.slice(2), processIo(outClosed.signal));
// A pipe holds 64 KiB: what it has not taken yet would be lost.
await Promise.all([flush(process.stdout), flush(process.stderr)]);
process.exit(code);
