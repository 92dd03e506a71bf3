import type { PolicyStatus, ReloadOutcome } from '../admin/daemon-api.ts';
import { formatDiagnostic } from '../config/diagnostics.ts';
import { loadPolicy, type PolicyLoad } from '../config/load.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { Mode } from '../policy/decision.ts';
import { Policy } from '../policy/policy.ts';
import type { ParsedPolicy } from '../policy/rules.ts';

/** A broken policy of 100 000 lines must not flood the log. */
const DIAGNOSTICS_SAID = 20;

export interface PolicyStoreOptions {
  /** A file or a directory. */
  readonly path: string;
  readonly first: Extract<PolicyLoad, { ok: true }>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Puts a new policy in force. When it throws, the old one stays. */
  readonly onChange: (policy: Policy, parsed: ParsedPolicy) => void;
}

/** The running policy, and the only way to change it: a file that does not load whole changes nothing. */
export class PolicyStore {
  readonly #options: PolicyStoreOptions;
  #parsed: ParsedPolicy;
  #policy: Policy;
  #loadedMs = Date.now();
  #lastErrors: readonly string[] = [];
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(options: PolicyStoreOptions) {
    this.#options = options;
    this.#parsed = options.first.policy;
    this.#policy = Policy.from(compilePolicy(this.#parsed));
    this.#options.metrics.policyLoaded();
  }

  get policy(): Policy {
    return this.#policy;
  }

  get parsed(): ParsedPolicy {
    return this.#parsed;
  }

  status(): PolicyStatus {
    return {
      path: this.#options.path,
      sha256: this.#parsed.sha256,
      mode: modeInForce(this.#parsed, Date.now()),
      observeUntilMs: this.#parsed.observeUntilMs,
      rules: this.#parsed.rules.length,
      loadedMs: this.#loadedMs,
      lastReloadErrors: this.#lastErrors,
    };
  }

  /** Reads the policy again, one reload after the other. `trigger` says in the log what asked for it. Never rejects. */
  reload(trigger: string): Promise<ReloadOutcome> {
    const outcome = this.#reloading
      .then(() => this.#reload(trigger))
      .catch(fault => this.#failed(trigger, [String(fault)]));
    this.#reloading = outcome;
    return outcome;
  }

  async #reload(trigger: string): Promise<ReloadOutcome> {
    const { path, log, metrics, onChange } = this.#options;
    const load = await loadPolicy(path);
    if (!load.ok) return this.#failed(trigger, load.diagnostics.map(formatDiagnostic));
    const isChanged = load.sha256 !== this.#parsed.sha256;
    this.#lastErrors = [];
    if (isChanged) {
      const policy = Policy.from(compilePolicy(load.policy));
      onChange(policy, load.policy);
      this.#policy = policy;
      this.#parsed = load.policy;
      this.#loadedMs = Date.now();
    }
    const warnings = load.warnings.map(formatDiagnostic);
    const result = isChanged ? 'success' : 'unchanged';
    metrics.reloadSucceeded();
    metrics.policyLoaded();
    for (const warning of warnings.slice(0, DIAGNOSTICS_SAID))
      log.warn(warning, { event: 'policy_warning', trigger });
    log.info(
      `policy ${isChanged ? 'reloaded' : 'unchanged'}: ${load.policy.rules.length} rules, mode ${modeInForce(load.policy, Date.now())}`,
      {
        event: 'reload',
        trigger,
        result,
        sha256: load.sha256,
      },
    );
    return { result, policy: this.status(), warnings };
  }

  /** The running policy stays, and says why. */
  #failed(trigger: string, errors: readonly string[]): ReloadOutcome {
    const { log, metrics } = this.#options;
    this.#lastErrors = errors;
    metrics.reloadFailed();
    for (const error of errors.slice(0, DIAGNOSTICS_SAID))
      log.error(error, { event: 'reload_error', trigger });
    log.error(`policy not reloaded: ${errors.length} errors, the running policy stays`, {
      event: 'reload',
      trigger,
      result: 'failure',
      sha256: this.#parsed.sha256,
    });
    return { result: 'failure', policy: this.status(), errors };
  }
}

function modeInForce(policy: ParsedPolicy, nowMs: number): Mode {
  return policy.observeUntilMs !== null && nowMs >= policy.observeUntilMs ? 'enforce' : policy.mode;
}
