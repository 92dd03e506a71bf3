#!/usr/bin/env node
import { processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

process.exit(await runProgram(process.argv.slice(2), processIo));
