import type { DaemonConfig, TransparentListener } from '../../config/daemon-config.ts';
import { loadDaemonConfig } from '../../config/load.ts';
import { parseInterface } from '../../config/netfilter-schema.ts';
import { buildPlan } from '../../gateway/build-plan.ts';
import type { Check } from '../../gateway/check.ts';
import { runChecks } from '../../gateway/checks.ts';
import { systemKernel } from '../../gateway/kernel.ts';
import type { Plan } from '../../gateway/plan.ts';
import { addRouting, removeRouting, routingFamilies } from '../../gateway/policy-routing.ts';
import { removeJson, removeNft, renderJson, renderNft } from '../../gateway/render.ts';
import { buildRuleset } from '../../gateway/ruleset.ts';
import { loadScript, removeScript } from '../../gateway/script.ts';
import { findUid } from '../../gateway/user.ts';
import { packageVersion } from '../../version.ts';
import { type Options, type RunCommand, textOption } from '../command.ts';
import { DEFAULT_CONFIG } from '../default-config.ts';
import { CommandFailure, type ExitCode, type Io, UsageError } from '../io.ts';
import { requireLoaded } from '../require-loaded.ts';

type Format = 'nft' | 'script' | 'json';

export const netfilter: RunCommand = async (_args, options, io) => {
  const format = readFormat(options);
  if (options.remove === true) {
    if (options.check === true) throw new UsageError('--check and --remove ask for different things');
    io.out(removal(format));
    return 0;
  }
  const file = textOption(options, 'config') ?? DEFAULT_CONFIG;
  const { config } = requireLoaded(await loadDaemonConfig(file), file, io);
  const plan = await makePlan(config, options, io);
  if (options.check === true) return report(await runChecks(plan, systemKernel), format, io);
  if (format !== 'script' && routingFamilies(plan).length > 0) {
    io.err('sallyport: tproxy needs policy routing too: --format script has it\n');
  }
  io.out(ruleset(plan, format, file));
  return 0;
};

function readFormat(options: Options): Format {
  const format = textOption(options, 'format');
  if (format !== undefined && format !== 'nft' && format !== 'script') {
    throw new UsageError(`--format ${format}: no such format (nft or script)`);
  }
  if (options.json !== true) return format ?? 'nft';
  if (format !== undefined) throw new UsageError('--json and --format ask for different things');
  return 'json';
}

async function makePlan(config: DaemonConfig, options: Options, io: Io): Promise<Plan> {
  const { netfilter } = config;
  const interfaces = readInterfaces(options);
  const listeners = config.listeners.filter(isTransparent);
  const user = textOption(options, 'user') ?? netfilter.user;
  const isLocal = options.local === true || netfilter.local;
  const ownUid = isLocal ? await requireUid(user) : null;
  if (ownUid === 0)
    io.err('sallyport: warning: whatever root sends will go past the filter (run it as a user of its own)\n');
  const built = buildPlan({
    listeners: interfaces === undefined ? listeners : listeners.map(one => ({ ...one, interfaces })),
    except: netfilter.except,
    strict: options.strict === true || netfilter.strict,
    ownUid,
  });
  if (built.ok) return built.plan;
  throw new CommandFailure(`${config.file}: ${built.problems.join(`\nsallyport: ${config.file}: `)}`);
}

function readInterfaces(options: Options): string[] | undefined {
  const names = textOption(options, 'interface')?.split(',');
  for (const name of names ?? []) {
    const parsed = parseInterface(name);
    if (!parsed.ok) throw new UsageError(`--interface: ${parsed.message} (${parsed.fix})`);
  }
  return names;
}

async function requireUid(user: string | number | null): Promise<number> {
  if (user === null) throw new UsageError('--local needs --user: whom sallyport runs as');
  const uid = await findUid(user, systemKernel);
  if (uid === null)
    throw new CommandFailure(
      `there is no user ${JSON.stringify(user)} on this host (make it, or name another)`,
    );
  return uid;
}

function isTransparent(listener: DaemonConfig['listeners'][number]): listener is TransparentListener {
  return listener.kind === 'transparent';
}

function ruleset(plan: Plan, format: Format, file: string): string {
  const chains = buildRuleset(plan);
  if (format === 'json') return `${JSON.stringify(renderJson(chains))}\n`;
  // In JSON's quotes no file name can end the comment.
  const text = `# What sallyport ${packageVersion()} needs for ${JSON.stringify(file)}. Loading it again replaces it.\n${renderNft(chains)}`;
  return format === 'script' ? loadScript(text, addRouting(routingFamilies(plan))) : text;
}

function removal(format: Format): string {
  if (format === 'json') return `${JSON.stringify(removeJson())}\n`;
  return format === 'script' ? removeScript(removeRouting()) : removeNft();
}

function report(checks: readonly Check[], format: Format, io: Io): ExitCode {
  const ok = checks.every(({ status }) => status !== 'fail');
  if (format === 'json') io.out(`${JSON.stringify({ ok, checks })}\n`);
  else io.out(checks.map(formatCheck).join(''));
  return ok ? 0 : 1;
}

function formatCheck({ name, status, message, fix }: Check): string {
  return `${status.padEnd(4)} ${name}: ${message}${fix === null ? '' : ` (${fix})`}\n`;
}
