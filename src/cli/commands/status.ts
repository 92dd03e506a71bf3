import type { Status } from '../../admin/daemon-api.ts';
import { parseMoment } from '../../config/moment.ts';
import { isoTime } from '../../observe/iso-time.ts';
import type { RuleStatus } from '../../observe/rule-hits.ts';
import type { StoreStatus } from '../../observe/store/site-store.ts';
import { AdminClient } from '../admin-client.ts';
import { type RunCommand, textOption } from '../command.ts';
import { UsageError } from '../io.ts';

export const status: RunCommand = async (_args, options, io) => {
  const sinceMs = readSince(textOption(options, 'since'));
  const admin = new AdminClient(options, io);
  const current = await admin.get<Status>('/api/v1/status');
  const rules =
    options.rules === true ? (await admin.get<{ rules: RuleStatus[] }>('/api/v1/rules')).rules : null;
  if (options.json === true) io.out(`${JSON.stringify(rules === null ? current : { ...current, rules })}\n`);
  else io.out(formatStatus(current) + (rules === null ? '' : formatRules(rules, sinceMs)));
  return current.policy.lastReloadErrors.length === 0 ? 0 : 1;
};

function formatStatus({
  gateway,
  version,
  pid,
  startedMs,
  state,
  dataplane,
  listeners,
  policy,
  ...rest
}: Status): string {
  const { path, mode, observeUntilMs, rules, sha256, loadedMs, lastReloadErrors } = policy;
  const until = observeUntilMs === null ? '' : `, enforce from ${new Date(observeUntilMs).toISOString()}`;
  return [
    `${gateway}: sallyport ${version}, pid ${pid}, ${state}, up since ${new Date(startedMs).toISOString()}`,
    `policy     ${path} (${sha256.slice(0, 12)}): mode ${mode}${until}, ${rules} rules, loaded ${new Date(loadedMs).toISOString()}`,
    ...lastReloadErrors.map(error => `           last reload failed: ${error}`),
    `data plane ${dataplane.kind}, ${dataplane.workers} workers, at most ${dataplane.flowLimit} flows`,
    ...listeners.map(
      ({ name, kind, address, openFlows }) =>
        `listener   ${name} (${kind}) on ${address}: ${openFlows} open flows`,
    ),
    `relayed    ${rest.bytes.out} bytes out, ${rest.bytes.in} bytes in; ${rest.sites} sites seen`,
    ...(rest.siteStore === null ? [] : [formatStore(rest.siteStore)]),
    ...(rest.logLinesDropped > 0
      ? [`log        ${rest.logLinesDropped} lines lost to a slow or closed reader`]
      : []),
  ]
    .map(line => `${line}\n`)
    .join('');
}

function formatStore({ path, state, error }: StoreStatus): string {
  return `sites      kept in ${path}: ${error === null ? state : `${state}: ${error}`}`;
}

function formatRules(rules: readonly RuleStatus[], sinceMs: number | null): string {
  const width = Math.max(4, ...rules.map(({ name }) => name.length));
  const heading = `\n${'RULE'.padEnd(width)}  ACTION       HITS  LAST HIT                  COUNTED SINCE             PLACE\n`;
  const unused = rules.filter(
    ({ lastMs, sinceMs: countedMs }) => lastMs === null || lastMs < (sinceMs ?? countedMs),
  );
  return (
    heading +
    rules
      .map(({ name, action, hits, lastMs, sinceMs, place }) => {
        const last = lastMs === null ? 'never' : isoTime(lastMs);
        return `${name.padEnd(width)}  ${action.padEnd(6)} ${String(hits).padStart(10)}  ${last.padEnd(24)}  ${isoTime(sinceMs)}  ${place}\n`;
      })
      .join('') +
    (unused.length === 0
      ? ''
      : `\nnot hit since ${sinceMs === null ? 'they are counted' : isoTime(sinceMs)}: ${unused.map(({ name }) => name).join(', ')}\n`)
  );
}

function readSince(text: string | undefined): number | null {
  if (text === undefined) return null;
  const moment = parseMoment(text, Date.now());
  if (moment.ok) return moment.value;
  throw new UsageError(`--since: ${moment.message} (${moment.fix})`);
}
