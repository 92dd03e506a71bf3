import type { SitesPage } from '../../admin/daemon-api.ts';
import { loadPolicy } from '../../config/load.ts';
import { loadShippedPresets } from '../../config/presets.ts';
import { makeGuard } from '../../dataplane/guard.ts';
import { flowsOfSite } from '../../flow-log/site-flows.ts';
import type { SourceSite } from '../../observe/site-query.ts';
import { compilePolicy } from '../../policy/compile.ts';
import type { Mode } from '../../policy/decision.ts';
import { Policy } from '../../policy/policy.ts';
import type { ParsedPolicy } from '../../policy/rules.ts';
import { RulingMemo } from '../../policy/ruling-memo.ts';
import { suggestPolicy } from '../../policy/suggest.ts';
import { SeenSites } from '../../policy/suggest-sites.ts';
import { AdminClient } from '../admin-client.ts';
import { asciiJson } from '../ascii-json.ts';
import { listOption, type Options, type RunCommand, textOption } from '../command.ts';
import { readDestinations } from '../destinations.ts';
import { type Io, UsageError } from '../io.ts';
import { readFlows } from '../read-flows.ts';
import { requireLoaded } from '../require-loaded.ts';
import { commentAfter, commentBefore, commentOnRule } from '../suggest-comments.ts';
import { suggestionYaml } from '../suggest-yaml.ts';
import { readSurroundings } from '../surroundings.ts';

const DEFAULT_SIBLINGS = 3;

export const suggest: RunCommand = async (_args, options, io) => {
  const mode = parseMode(options);
  const minSiblings = parseSiblings(options);
  const sourcePrefix = parseSourcePrefix(options);
  const file = textOption(options, 'existing') ?? null;
  const nowMs = Date.now();
  const existing = file === null ? null : await loadExisting(file, nowMs, io);
  const { presets } = requireLoaded(await loadShippedPresets(), 'the presets', io);
  const guard = makeGuard(await readDestinations(options, io), []);
  const sites = new SeenSites({
    includeDenied: options.includeDenied === true,
    existing: existing === null ? null : memoOf(existing),
    nowMs,
    isPrivate: address => guard.judge(address) === 'private',
    sourcePrefix,
  });
  await gather(sites, options, io);
  const suggestion = suggestPolicy(sites, {
    // Beside another policy, that one says the mode unless this one is told to.
    mode: mode ?? (existing === null ? 'observe' : null),
    exact: options.exact === true,
    minSiblings,
    presets,
    existing: existing === null ? null : namesOf(existing),
  });
  if (options.json === true)
    io.out(`${asciiJson({ flows: sites.flows, covered: sites.covered, ...suggestion })}\n`);
  else {
    const before = commentBefore(sites, { hasLogs: listOption(options, 'from').length > 0, existing: file });
    io.out(suggestionYaml(suggestion, { before, beforeRule: commentOnRule, after: commentAfter(sites) }));
  }
  return 0;
};

async function gather(sites: SeenSites, options: Options, io: Io): Promise<void> {
  const names = listOption(options, 'from');
  if (names.length > 0) {
    await readFlows(names, options, io, flow => sites.add(flow));
    return;
  }
  const page = await new AdminClient(options, io).get<SitesPage<SourceSite>>('/api/v1/sites?by=source');
  for (const site of page.sites) for (const flow of flowsOfSite(site)) sites.add(flow);
}

async function loadExisting(file: string, nowMs: number, io: Io): Promise<ParsedPolicy> {
  const { defaults } = await readSurroundings(io);
  return requireLoaded(await loadPolicy(file, nowMs, defaults), file, io).policy;
}

function memoOf(parsed: ParsedPolicy) {
  const policy = Policy.from(compilePolicy(parsed));
  return { memo: new RulingMemo(parsed, policy), ruleName: (rule: number) => policy.ruleName(rule) };
}

function namesOf({ rules, sources }: ParsedPolicy) {
  return { ruleNames: rules.map(({ name }) => name), groupNames: sources.map(({ name }) => name) };
}

function parseMode(options: Options): Mode | null {
  const text = textOption(options, 'mode');
  if (text === undefined) return null;
  if (text !== 'observe' && text !== 'enforce')
    throw new UsageError(`--mode ${text}: no mode (observe or enforce)`);
  return text;
}

function parseSiblings(options: Options): number {
  const text = textOption(options, 'minSiblings');
  if (text === undefined) return DEFAULT_SIBLINGS;
  const number = Number(text);
  if (!/^\d{1,6}$/.test(text) || number < 2)
    throw new UsageError(`--min-siblings ${text}: no number from 2 (--exact makes no wildcards)`);
  return number;
}

/** `--by-source` alone takes each address apart; a length takes IPv4 sources together by blocks, and IPv6 by /64. */
function parseSourcePrefix(options: Options): { readonly v4: number; readonly v6: number } | null {
  const { bySource } = options;
  if (bySource === undefined || bySource === false) return null;
  if (bySource === true) return { v4: 32, v6: 128 };
  const text = String(bySource);
  const v4 = Number(text);
  if (!/^\d{1,2}$/.test(text) || v4 < 8 || v4 > 32)
    throw new UsageError(`--by-source ${text}: no length of an IPv4 block from 8 to 32`);
  return { v4, v6: v4 === 32 ? 128 : 64 };
}
