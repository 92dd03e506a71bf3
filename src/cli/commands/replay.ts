import { loadPolicy } from '../../config/load.ts';
import { parseDate } from '../../config/scalars.ts';
import { makeGuard } from '../../dataplane/guard.ts';
import { compilePolicy } from '../../policy/compile.ts';
import { Policy } from '../../policy/policy.ts';
import { Replay } from '../../policy/replay.ts';
import { asciiJson } from '../ascii-json.ts';
import { listOption, type Options, type RunCommand, textOption } from '../command.ts';
import { readDestinations } from '../destinations.ts';
import { UsageError } from '../io.ts';
import { readFlows } from '../read-flows.ts';
import { formatReplay } from '../replay-text.ts';
import { requireLoaded } from '../require-loaded.ts';
import { readSurroundings } from '../surroundings.ts';

export const replay: RunCommand = async (_args, options, io) => {
  const file = textOption(options, 'policy');
  if (file === undefined)
    throw new UsageError('--policy is missing: name the policy to hold the flows against');
  const names = listOption(options, 'from');
  if (names.length === 0) throw new UsageError('--from is missing: name logs, or - for standard input');
  const nowMs = Date.now();
  const atMs = parseMoment(options, nowMs);
  const { defaults } = await readSurroundings(io);
  const { policy: parsed } = requireLoaded(await loadPolicy(file, nowMs, defaults), file, io);
  const policy = Policy.from(compilePolicy(parsed));
  const guard = makeGuard(await readDestinations(options, io), []);
  const past = new Replay({ parsed, policy, atMs, nowMs, guard: address => guard.judge(address) });
  const { records } = await readFlows(names, options, io, flow => past.add(flow));
  const report = past.report();
  if (options.json === true)
    io.out(`${asciiJson({ policy: file, sha256: parsed.sha256, records, ...report })}\n`);
  else io.out(formatReplay(report, { policy: file, showsAll: options.all === true }));
  return report.lost > 0 ? 1 : 0;
};

function parseMoment(options: Options, nowMs: number): number | null {
  const text = textOption(options, 'at');
  if (text === undefined) return null;
  if (text === 'now') return nowMs;
  const parsed = parseDate(text, 'start');
  if (!parsed.ok) throw new UsageError(`--at ${text}: ${parsed.message} (${parsed.fix}, or now)`);
  return parsed.value;
}
