import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ChangeOutcome, ChangeReport, Refusal, Requester } from '../admin/policy-changes.ts';
import { USER_HEADER } from '../admin/requester.ts';
import { type PolicyChange, planChange } from '../config/plan-change.ts';
import type { PolicyEdit } from '../config/policy-edit.ts';
import { PolicyEditor } from '../daemon/policy-editor.ts';
import { AdminClient, expectOk } from './admin-client.ts';
import { type Options, textOption } from './command.ts';
import { CommandFailure, type ExitCode, type Io, UsageError } from './io.ts';
import { showDiff } from './show-diff.ts';
import { readSurroundings } from './surroundings.ts';
import { waitFor } from './wait-for.ts';

/** Editing and loading a policy of 100 000 rules takes seconds. */
const TIMEOUT_MS = 180_000;

/** What is over once the others have made theirs. */
const BEATEN: ReadonlySet<Refusal> = new Set(['changed', 'busy']);
/** Some ten seconds. */
const MAX_ATTEMPTS = 20;

/** Makes one change, or plans it; `ifMatch` is the ETag of the policy it was planned for. */
type Change = (request: {
  readonly dryRun: boolean;
  readonly ifMatch: string | null;
}) => Promise<ChangeOutcome>;

/**
 * Shows what an edit changes, asks, makes it and says what became of it: by the running daemon, or with `--policy` in a
 * file that no daemon needs to know. `path` and `body` are the edit as the admin HTTP takes it.
 */
export async function changePolicy(
  edit: PolicyEdit,
  { path, body }: { readonly path: string; readonly body: unknown },
  options: Options,
  io: Io,
): Promise<ExitCode> {
  const file = textOption(options, 'policy');
  const isDryRun = options.dryRun === true;
  if (!isDryRun && options.yes !== true && (io.terminal === undefined || options.json === true)) {
    throw new UsageError('there is nobody to ask: add --yes to change the policy, or --dry-run to see how');
  }
  const change =
    file === undefined
      ? byDaemon(path, body, options, io)
      : inFile(resolve(file), edit, options.force === true, io);
  if (options.yes === true && !isDryRun) {
    const made = await waitFor(persist(change), 'changing the policy', io);
    return conclude(made, options, io, true);
  }
  const planned = await waitFor(change({ dryRun: true, ifMatch: null }), 'working the change out', io);
  if (planned.result !== 'planned') return conclude(planned, options, io, false);
  if (options.json !== true) sayReport(planned, io);
  if (isDryRun) {
    if (options.json === true) io.out(`${JSON.stringify(planned)}\n`);
    else io.err('nothing was changed: this was a dry run\n');
    return 0;
  }
  if (!(await confirm(io))) {
    io.err('nothing was changed\n');
    return 1;
  }
  const made = await waitFor(change({ dryRun: false, ifMatch: planned.etag }), 'changing the policy', io);
  return conclude(made, options, io, false);
}

/** Makes a change that nobody needs to look at first, also where others change the policy meanwhile. */
async function persist(change: Change): Promise<ChangeOutcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await change({ dryRun: false, ifMatch: null });
    const isBeaten = outcome.result === 'refused' && BEATEN.has(outcome.refusal);
    if (!isBeaten || attempt === MAX_ATTEMPTS) return outcome;
    // Those that were beaten together try again apart.
    await wait(Math.random() * Math.min(1_000, 20 * 2 ** attempt));
  }
}

function byDaemon(path: string, body: unknown, options: Options, io: Io): Change {
  const admin = new AdminClient(options, io);
  return async ({ dryRun, ifMatch }) => {
    const headers = {
      [USER_HEADER]: encodeURIComponent(userName()),
      ...(ifMatch === null ? {} : { 'if-match': `"${ifMatch}"` }),
    };
    const answer = await admin.ask('POST', `${path}?dryRun=${dryRun}`, body, {
      headers,
      timeoutMs: TIMEOUT_MS,
    });
    const isOutcome = answer.body !== null && typeof answer.body === 'object' && 'result' in answer.body;
    return expectOk<ChangeOutcome>(isOutcome ? { ...answer, status: 200 } : answer);
  };
}

function inFile(path: string, edit: PolicyEdit, force: boolean, io: Io): Change {
  const editor = new PolicyEditor({
    path,
    plan: async (policy: string, change: PolicyChange) =>
      planChange(policy, change, Date.now(), (await readSurroundings(io)).defaults),
    reload: null,
    obstacles: async () => null,
    audit: null,
  });
  const by: Requester = { peer: null, auth: 'loopback', user: userName() };
  return ({ dryRun, ifMatch }) =>
    editor.change(edit, { dryRun, force, by, ifMatch: ifMatch === null ? null : [ifMatch] });
}

/** `isNews`: what was to be changed was not shown yet. */
function conclude(outcome: ChangeOutcome, options: Options, io: Io, isNews: boolean): ExitCode {
  if (options.json === true) io.out(`${JSON.stringify(outcome)}\n`);
  else if (isNews && outcome.result === 'applied') sayReport(outcome, io);
  switch (outcome.result) {
    case 'planned':
      throw new CommandFailure('the daemon planned the change and did not make it');
    case 'unchanged':
      if (options.json !== true) for (const note of outcome.notes) io.err(`${note}\n`);
      io.err('nothing to change\n');
      return 0;
    case 'refused':
      for (const error of outcome.errors) io.err(`${error}\n`);
      if (outcome.refusal !== 'unwritable') {
        io.err('not changed\n');
        return 1;
      }
      // What cannot be written here may be applied elsewhere.
      if (isNews && options.json !== true) showDiff(outcome.diff, io);
      io.err('not changed: apply the difference by hand\n');
      return 1;
    case 'applied': {
      const { policy } = outcome;
      const running =
        policy === null
          ? 'a daemon that watches this file takes it by itself'
          : `the daemon runs it: ${policy.rules} rules, mode ${policy.mode}, ${policy.sha256.slice(0, 12)}`;
      io.err(`changed; ${running}\n`);
      if (policy !== null && policy.sha256 !== outcome.after)
        io.err('the policy was changed again before the daemon read it\n');
      return 0;
    }
    default:
      return outcome satisfies never;
  }
}

function sayReport({ diff, notes, warnings }: ChangeReport, io: Io): void {
  showDiff(diff, io);
  for (const line of [...notes, ...warnings]) io.err(`${line}\n`);
}

async function confirm(io: Io): Promise<boolean> {
  const answer = await io.terminal?.ask('change the policy? [y/N] ');
  return /^y(es)?$/i.test(answer?.trim() ?? '');
}

/** Who runs this command, as the system knows them: a claim, for the audit line. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run as users that no file names.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
