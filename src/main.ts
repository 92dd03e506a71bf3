#!/usr/bin/env node
import { flush } from './cli/flush.ts';
import { processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

// A reader that goes away in the middle (`| head`) is nothing to fail for.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
const code = await runProgram(process.argv.slice(2), processIo);
// A pipe holds 64 KiB: what it has not taken yet would be lost.
await Promise.all([flush(process.stdout), flush(process.stderr)]);
process.exit(code);
