import type { Command, Option } from './command.ts';

const CONFIG: Option = {
  flags: '-c, --config <file>',
  description: 'daemon configuration (default: ./config/sallyport.yaml)',
};
const TAKE_OVER: Option = {
  flags: '--take-over',
  description:
    'replace the daemon that runs at the same admin address, if one does: serve on its sockets, then let it drain and end',
};
const JSON_OUTPUT: Option = { flags: '--json', description: 'print JSON' };
const ADMIN: Option = {
  flags: '--admin <url>',
  description: 'admin address of the daemon (default: $SALLYPORT_ADMIN, else http://127.0.0.1:9464)',
};
const TOKEN: Option = {
  flags: '--token-file <file>',
  description: 'bearer token for an admin address that asks for one (default: $SALLYPORT_TOKEN)',
};

const SOURCE: Option = {
  flags: '--source <source>',
  description: 'visited from there: an address, a block such as 10.12.4.0/24, or a source group',
};
const FROM_LOGS: Option = {
  flags: '--from <logs...>',
  description: 'logs with decision records: files, also gzipped, or - for standard input',
};
const LOG_PORT: Option = {
  flags: '--port <port>',
  description: 'the port of records that name none, as those of log.format text (default: 443)',
};

/** How the commands that change the policy are asked. */
const CHANGE: readonly Option[] = [
  {
    flags: '--policy <file>',
    description: 'change this file or directory instead of asking the daemon to change its own',
  },
  { flags: '--dry-run', description: 'show what would change, and change nothing' },
  { flags: '-y, --yes', description: 'do not ask; needed where there is no terminal' },
  ADMIN,
  TOKEN,
  JSON_OUTPUT,
];
const CHANGE_DETAILS =
  'Shows the difference and asks, then (with --yes at once, and again when another change comes first) the daemon writes its policy file in one step, loads it, and puts the old text back if it does not load. Comments and layout stay as they are; a policy that is laid out in a way that cannot be edited in place, or lies on a read-only file system, is left alone. Each change is an audit line in the log.';
/** Of `allow` and `deny`. */
const HOSTS: readonly Option[] = [
  { flags: '--rule <name>', description: 'the rule to add to, which is made if there is none' },
  { flags: '--port <ports>', description: 'ports of a new rule, separated by commas (default: 443)' },
  {
    flags: '--from <sources>',
    description: 'source groups, addresses or blocks of a new rule, separated by commas (default: any)',
  },
  { flags: '--until <date>', description: 'the last day of a new rule, or the moment it ends' },
  { flags: '--remove', description: 'take the hosts out again, and the rule with the last of them' },
];

/** The command table: from it come parsing, help and the list in the README. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'run',
    summary: 'run the filter in the foreground',
    details:
      'Logs to stdout. SIGHUP reloads the policy (never this configuration), SIGTERM and SIGINT drain, a second one ends at once. Sockets that systemd has opened (LISTEN_FDS) are served, by their address or name, and it is told of the state (sd_notify, watchdog). --take-over passes no flow on: those stay with the old daemon until they end, or its drainTimeout does.',
    options: [CONFIG, TAKE_OVER],
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'check',
    args: '[files...]',
    summary: 'check policies and daemon configurations without running them',
    details:
      'Takes files and directories of policies; which of the two a file is, its keys tell. Without files: ./config/sallyport.yaml and the policy it names. Warnings do not fail the check. It asks no DNS and opens no port; in an ECS task it asks the metadata endpoint for region and account, as the daemon does.',
    options: [JSON_OUTPUT],
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'explain',
    args: '<host[:port]>',
    summary: 'say what the policy does with a host or an address, by which rule, and what nearly matched',
    details:
      'Asks the running daemon, or judges by a policy file. It looks at names only: whether a name resolves, and to what, shows when it is dialled. An address is judged by tcp rules; what their hosts resolve to, only the daemon knows. Exits with 1 when the answer is deny.',
    options: [
      { flags: '--from <ip>', description: 'as for a flow from this source address' },
      { flags: '--vpc-endpoint <id>', description: 'as for a flow through this VPC endpoint' },
      {
        flags: '--policy <file>',
        description: 'judge by this file or directory instead of asking the daemon',
      },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  {
    name: 'discover',
    args: '<show|export|reset>',
    summary: 'list the sites that were visited, export them as CSV, or forget them',
    details:
      'Sites are counted whatever became of the flows, since the daemon started or, with a store on disk, since the last reset. The table is bounded (sites.maxSites, sites.maxAge). Options pick sites to show or export; the counts of a site are always whole. reset forgets all of them, and the hits of rules.',
    options: [
      { flags: '--since <when>', description: 'seen since then: 7d, 36h, or a date' },
      { flags: '--new-since <when>', description: 'seen since then and not before' },
      SOURCE,
      {
        flags: '--verdict <verdict>',
        description: 'with a flow of that verdict: allow, deny, would-deny, ech or mismatch',
      },
      { flags: '--limit <n>', description: 'the first n only' },
      { flags: '--by-source', description: 'each source apart' },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/discover.ts')).discover,
  },
  {
    name: 'suggest',
    summary: 'suggest a policy that allows what was seen',
    details:
      'From logs or, without --from, from the sites of the running daemon. It names hosts and ports as they were seen; a wildcard takes the place of three or more hosts of one parent that has one owner, a preset that of its hosts where a third of them (half of up to four) were seen, the s3 key that of buckets, which are never made a pattern. What a rule or guard spoke against, what did not resolve and what named no host is left out, and listed in comments. It changes no file: read the outcome, save it, and hold logs against it with replay.',
    options: [
      FROM_LOGS,
      { flags: '--mode <mode>', description: 'observe or enforce (default: observe)' },
      { flags: '--existing <policy>', description: 'only what this file or directory does not allow yet' },
      { flags: '--exact', description: 'the hosts that were seen and no other: no wildcards, presets or s3' },
      {
        flags: '--min-siblings <n>',
        description: 'so many hosts of one parent make a wildcard (default: 3)',
      },
      {
        flags: '--by-source [length]',
        description: 'for the sources that were seen, each or by blocks of that length, such as 24',
      },
      {
        flags: '--include-denied',
        description: 'also what a rule or guard spoke against, or did not resolve',
      },
      LOG_PORT,
      { flags: '-c, --config <file>', description: 'daemon configuration, for its destinations' },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/suggest.ts')).suggest,
  },
  {
    name: 'replay',
    summary: 'hold the flows of logs against a policy, and say whose verdict would change',
    details:
      "Reads JSON and text logs of sallyport, also inside what CloudWatch, Docker or FireLens wrap around them. The old verdict is the record's state; the new one is the policy's for its host, port and source at its time, with the destination guard for the address. It resolves no name, and limits and malformed hellos stay as they were. Exits with 1 when a flow that was allowed would be denied; flows that no rule allows, before and after, are listed but no change.",
    options: [
      { flags: '--policy <file>', description: 'the policy, a file or a directory' },
      FROM_LOGS,
      {
        flags: '--at <time>',
        description: 'judge all flows as of this time, or of now (default: each at its own)',
      },
      LOG_PORT,
      { flags: '-c, --config <file>', description: 'daemon configuration, for its destinations' },
      { flags: '--all', description: 'show all groups of flows, not the first of each kind' },
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/replay.ts')).replay,
  },
  {
    name: 'readiness',
    summary: 'say whether enforcing would drop what was seen, and whether enough was seen',
    details:
      'For each source group, and for all other sources together: how long it was watched, whether a weekend and a month end (UTC) lie inside, when a site was last new, and which flows enforce would drop. Sites are held against the rules of now, whatever was said of them then; what guards found (ECH, mismatches, private addresses) is taken as it was recorded. It changes nothing, and knows nothing of what was never tried. Exits with 0 when ready, else with 1.',
    options: [
      { flags: '--min-days <n>', description: 'days watched at least (default: 14)' },
      { flags: '--quiet-hours <n>', description: 'hours since the last new site at least (default: 24)' },
      { flags: '--max-drops <n>', description: 'flows that enforce would drop at most (default: 0)' },
      {
        flags: '--calendar <what>',
        description:
          'what must lie inside: none, weekend, or month-end, which asks for both (default: weekend)',
      },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/readiness.ts')).readiness,
  },
  {
    name: 'status',
    summary: 'show what the daemon is doing',
    details:
      'Exits with 1 when the last policy reload failed. Rules are counted since the daemon started or, with a store on disk, since the last discover reset; a rule that was added later, since then.',
    options: [
      {
        flags: '--rules',
        description: 'list the rules and how often each decided, and name those that never did',
      },
      {
        flags: '--since <when>',
        description: 'with --rules: name those that did not since then: 7d, 36h, or a date',
      },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'tail',
    summary: 'show what flows do, as they do it',
    details:
      'The decision and close records of the log from now on, folded as they are there; past ones are in the log. A reader that is too slow is left behind: the filter does not wait. It costs the daemon something only while it runs, and up to eight can listen.',
    options: [
      { flags: '--verdict <verdict>', description: 'of that verdict only: allow, deny or would-deny' },
      { flags: '--limit <n>', description: 'end after n records' },
      ADMIN,
      TOKEN,
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/tail.ts')).tail,
  },
  {
    name: 'reload',
    summary: 'make the daemon read its policy again',
    details:
      'A policy that does not load changes nothing: its diagnostics are printed and the exit code is 1.',
    options: [ADMIN, TOKEN, JSON_OUTPUT],
    load: async () => (await import('./commands/reload.ts')).reload,
  },
  {
    name: 'mode',
    args: '<observe|enforce>',
    summary: 'observe or enforce: change the mode of the policy',
    details: `${CHANGE_DETAILS} enforce, and an --until sooner than readiness asks to observe, are refused while readiness says no, and where nobody can tell; it takes observeUntil out.`,
    options: [
      { flags: '--source <group>', description: 'the mode of this source group only' },
      { flags: '--until <date>', description: 'observe up to this date, then enforce (observeUntil)' },
      { flags: '--force', description: 'enforce although readiness says no' },
      ...CHANGE,
    ],
    load: async () => (await import('./commands/mode.ts')).mode,
  },
  {
    name: 'allow',
    args: '<hosts...>',
    summary: 'allow hosts, by a rule that this command keeps',
    details: `${CHANGE_DETAILS} The rule is named allowed-by-command unless --rule names another. A deny rule that matches still wins.`,
    options: [...HOSTS, ...CHANGE],
    load: async () => (await import('./commands/allow.ts')).allow,
  },
  {
    name: 'deny',
    args: '<hosts...>',
    summary: 'deny hosts, by a rule that this command keeps',
    details: `${CHANGE_DETAILS} The rule is named denied-by-command unless --rule names another. Flows that are open stay open, unless the daemon says onPolicyChange: close.`,
    options: [...HOSTS, ...CHANGE],
    load: async () => (await import('./commands/deny.ts')).deny,
  },
  {
    name: 'healthcheck',
    summary: 'exit with 0 when the daemon is healthy',
    details:
      'For container health checks. One worker that serves is enough; a broken policy file or an unreachable upstream is not unhealthy.',
    options: [{ flags: '--ready', description: 'ask for readiness instead: listening, not draining' }, ADMIN],
    load: async () => (await import('./commands/healthcheck.ts')).healthcheck,
  },
  {
    name: 'netfilter',
    summary: 'print the nftables ruleset that leads traffic to the transparent listeners',
    details:
      'It prints, and changes nothing: load it with "nft -f", or run the script. Everything is in one table of its own, inet sallyport; loading it again replaces it. Other tables, address translation and sysctl are left to you; --check says what is amiss, with exit code 1. Options win over the configuration.',
    options: [
      CONFIG,
      {
        flags: '--format <nft|script>',
        description: 'script: a shell script, with the policy routing of tproxy (default: nft)',
      },
      {
        flags: '--interface <names>',
        description: 'where clients come in, separated by commas; eth* for all that begin so',
      },
      { flags: '--local', description: 'also intercept what this host sends, but for what --user sends' },
      { flags: '--user <user>', description: 'whom sallyport runs as' },
      {
        flags: '--strict',
        description: 'also refuse whatever else clients send to be forwarded, but for DNS, NTP and ICMP',
      },
      { flags: '--remove', description: 'print what removes it all, whatever the configuration' },
      { flags: '--check', description: 'say whether the running kernel has it, and what to mend' },
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/netfilter.ts')).netfilter,
  },
  {
    name: 'presets',
    args: '[name]',
    summary: 'list the presets that rules may name, or show the hosts of one',
    details:
      'They come with sallyport, each with the day it was last held against its sources; --policy adds those of its presets.d. Hosts are shown for the values of --var, else of the policy, else of AWS_REGION; without values, as templates. It asks nobody whether the hosts exist.',
    options: [
      { flags: '--var <assignments...>', description: 'region=us-east-1, account=123456789012,210987654321' },
      { flags: '--policy <file>', description: 'with the presets and variables of this file or directory' },
      JSON_OUTPUT,
    ],
    load: async () => (await import('./commands/presets.ts')).presets,
  },
  {
    name: 's3-endpoint-policy',
    summary: 'print the policy of a VPC gateway endpoint that opens the same buckets',
    details:
      'Such an endpoint leads S3 traffic past every gateway, so it needs the same list. It holds the buckets and access points of rules, and for reading those of presets, among them the layers of ECR. What cannot be said there (path-style hosts, aliases, directory buckets) is told on stderr and left out; sources and ports do not exist there. It changes nothing in AWS.',
    options: [
      {
        flags: '--policy <file>',
        description: 'a file or directory (default: the policy that ./config/sallyport.yaml names)',
      },
      { flags: '--keep-ecr', description: 'keep the layers of ECR readable, whatever the rules say' },
    ],
    load: async () => (await import('./commands/s3-endpoint-policy.ts')).endpointPolicy,
  },
  {
    name: 'schema',
    args: '<policy|config|preset>',
    summary: 'print the JSON Schema of a policy, of the daemon configuration or of a preset',
    details: 'Draft 7, as editors take it. The schema cannot tell everything that check does.',
    options: [],
    load: async () => (await import('./commands/schema.ts')).schema,
  },
  {
    name: 'version',
    summary: 'print the version',
    details: 'Of sallyport, of Node, and of the platform.',
    options: [JSON_OUTPUT],
    load: async () => (await import('./commands/version.ts')).version,
  },
];
