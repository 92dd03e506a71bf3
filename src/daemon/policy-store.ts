import type { PolicyStatus, ReloadOutcome } from '../admin/daemon-api.ts';
import { formatDiagnostic } from '../config/diagnostics.ts';
import type { CompiledLoad } from '../config/load-compiled.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { Policy } from '../policy/policy.ts';
import type { PresetUse } from '../policy/preset-hint.ts';
import { LoadCancelled, type PolicyLoader } from './policy-loader.ts';

/** A broken policy of 100 000 lines must not flood the log. */
const DIAGNOSTICS_SAID = 20;

export interface PolicyStoreOptions {
  /** A file or a directory. */
  readonly path: string;
  readonly first: Extract<CompiledLoad, { ok: true }>;
  readonly loader: Pick<PolicyLoader, 'load'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Puts a new policy in force. When it throws, the old one stays. */
  readonly onChange: (policy: Policy, presets: PresetUse) => void;
}

/** The running policy, and the only way to change it: a file that does not load whole changes nothing. */
export class PolicyStore {
  readonly #options: PolicyStoreOptions;
  #policy: Policy;
  #loadedMs = Date.now();
  #lastErrors: readonly string[] = [];
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(options: PolicyStoreOptions) {
    this.#options = options;
    if (options.first.policy === null) throw new Error('there is no policy to begin with');
    this.#policy = Policy.from(options.first.policy);
    this.#options.metrics.policyLoaded();
  }

  get policy(): Policy {
    return this.#policy;
  }

  status(): PolicyStatus {
    return {
      path: this.#options.path,
      sha256: this.#policy.sha256,
      mode: this.#policy.modeAt(Date.now()),
      observeUntilMs: this.#policy.observeUntilMs,
      rules: this.#policy.ruleCount,
      loadedMs: this.#loadedMs,
      lastReloadErrors: this.#lastErrors,
    };
  }

  /** Reads the policy again, one reload after the other. `trigger` says in the log what asked for it. Never rejects. */
  reload(trigger: string): Promise<ReloadOutcome> {
    const outcome = this.#reloading
      .then(() => this.#reload(trigger))
      .catch(fault =>
        fault instanceof LoadCancelled
          ? this.#cancelled(trigger, fault)
          : this.#failed(trigger, [String(fault)]),
      );
    this.#reloading = outcome;
    return outcome;
  }

  async #reload(trigger: string): Promise<ReloadOutcome> {
    const { path, loader, log, metrics, onChange } = this.#options;
    const load = await loader.load(path, this.#policy.sha256);
    if (!load.ok) return this.#failed(trigger, load.diagnostics.map(formatDiagnostic));
    const isChanged = load.policy !== null;
    this.#lastErrors = [];
    if (load.policy !== null) {
      const policy = Policy.from(load.policy);
      onChange(policy, load.presets);
      this.#policy = policy;
      this.#loadedMs = Date.now();
    }
    const warnings = load.warnings.map(formatDiagnostic);
    const result = isChanged ? 'success' : 'unchanged';
    metrics.reloadSucceeded();
    metrics.policyLoaded();
    for (const warning of warnings.slice(0, DIAGNOSTICS_SAID))
      log.warn(warning, { event: 'policy_warning', trigger });
    const status = this.status();
    log.info(`policy ${isChanged ? 'reloaded' : 'unchanged'}: ${status.rules} rules, mode ${status.mode}`, {
      event: 'reload',
      trigger,
      result,
      sha256: status.sha256,
    });
    return { result, policy: status, warnings };
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
      sha256: this.#policy.sha256,
    });
    return { result: 'failure', policy: this.status(), errors };
  }

  #cancelled(trigger: string, { message }: LoadCancelled): ReloadOutcome {
    this.#options.log.info(`policy not reloaded: ${message}`, {
      event: 'reload',
      trigger,
      result: 'cancelled',
    });
    return { result: 'failure', policy: this.status(), errors: [message] };
  }
}
