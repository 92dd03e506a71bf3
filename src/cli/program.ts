import { Command as Commander, CommanderError } from 'commander';
import { packageVersion } from '../version.ts';
import type { Command, Options } from './command.ts';
import { COMMANDS } from './commands.ts';
import { CommandFailure, type ExitCode, type Io, UsageError } from './io.ts';

/** Runs the command that `args` ask for (without node and script) and resolves to the exit code. Does not exit. */
export async function runProgram(args: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = new Commander('sallyport')
    .description(
      'FQDN egress filter: reads the name a connection asks for, holds it against rules, forwards or drops.',
    )
    .version(packageVersion(), '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(sallyport --help lists the commands)');
  for (const command of COMMANDS) {
    addCommand(program, command, async (values, options) => {
      const run = await command.load();
      code = await run(values, options, io);
    });
  }
  if (args.length === 0) {
    io.err(program.helpInformation());
    return 2;
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return explainFailure(error, io);
  }
}

function addCommand(
  program: Commander,
  command: Command,
  act: (args: readonly string[], options: Options) => Promise<void>,
): void {
  const sub = program
    .command(command.name)
    .summary(command.summary)
    .description(`${command.summary}\n\n${command.details}`)
    .exitOverride();
  if (command.args !== undefined) sub.arguments(command.args);
  for (const { flags, description } of command.options) sub.option(flags, description);
  sub.action(async () => act(sub.args, sub.opts()));
}

function explainFailure(error: unknown, io: Io): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError) {
    io.err(`sallyport: ${error.message}\n`);
    return 2;
  }
  if (error instanceof CommandFailure) {
    io.err(`sallyport: ${error.message}\n`);
    return 1;
  }
  throw error;
}
