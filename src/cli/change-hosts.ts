import type { PolicyEdit } from '../config/policy-edit.ts';
import { describePatternFault, parsePattern } from '../policy/pattern.ts';
import { parsePort } from '../sniff/target.ts';
import { changePolicy } from './change-policy.ts';
import { type Options, type RunCommand, textOption } from './command.ts';
import { UsageError } from './io.ts';

/** The commands `allow` and `deny`. */
export function changeHosts(action: 'allow' | 'deny'): RunCommand {
  return async (hosts, options, io) => {
    for (const host of hosts) checkHost(host);
    const rule = textOption(options, 'rule') ?? null;
    const ports = listOption(options, 'port')?.map(readPort) ?? null;
    const from = listOption(options, 'from');
    const until = textOption(options, 'until') ?? null;
    const remove = options.remove === true;
    if (remove && (ports !== null || from !== null || until !== null)) {
      throw new UsageError('--port, --from and --until do not go with --remove (--rule names the rule)');
    }
    const edit: PolicyEdit = remove
      ? { kind: 'remove', action, hosts, rule }
      : { kind: 'add', action, hosts, rule, ports, from, until };
    const body = { hosts, rule, ports, from, until, remove };
    return changePolicy(edit, { path: `/api/v1/${action}`, body }, options, io);
  };
}

/** What a variable makes of a host only the policy knows. */
function checkHost(host: string): void {
  if (host.includes('{')) return;
  const parsed = parsePattern(host);
  if (parsed.ok) return;
  if (/:\d+$/.test(host)) throw new UsageError(`${host}: a port goes to --port`);
  const { message, fix } = describePatternFault(parsed.fault, host);
  throw new UsageError(`${host}: ${message} (${fix})`);
}

function readPort(text: string): number {
  const port = parsePort(text);
  if (port === null) throw new UsageError(`--port ${text}: no port from 1 to 65535`);
  return port;
}

function listOption(options: Options, name: string): string[] | null {
  const text = textOption(options, name);
  if (text === undefined) return null;
  const items = text.split(',').map(item => item.trim());
  if (items.includes('')) throw new UsageError(`--${name} ${text}: an empty item in the list`);
  return items;
}
