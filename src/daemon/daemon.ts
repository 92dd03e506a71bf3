import { availableParallelism, hostname } from 'node:os';
import { type AdminServer, startAdminServer } from '../admin/admin-server.ts';
import type {
  DaemonApi,
  DiscoveryReset,
  ExplainQuestion,
  ReloadOutcome,
  Status,
} from '../admin/daemon-api.ts';
import type { DaemonConfig } from '../config/daemon-config.ts';
import { formatDiagnostic } from '../config/diagnostics.ts';
import type { CompiledLoad } from '../config/load-compiled.ts';
import { formatSocketAddress, type SocketAddress } from '../config/socket-address.ts';
import { type PolicyWatcher, watchPolicy } from '../config/watch.ts';
import type { DataPlane } from '../dataplane/data-plane.ts';
import { affordableFlows, descriptorLimit } from '../dataplane/descriptors.ts';
import { AuditTrail } from '../observe/audit.ts';
import { Collector } from '../observe/collector.ts';
import type { TrendStep } from '../observe/discovery.ts';
import { createFoldTable } from '../observe/fold-table.ts';
import { LiveTail } from '../observe/live-tail.ts';
import { createLog, type Labels, type Log } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { READINESS_DEFAULTS, type Readiness, type ReadinessThresholds } from '../observe/readiness.ts';
import { obstaclesToEnforcing } from '../observe/readiness-obstacles.ts';
import type { RuleStatus } from '../observe/rule-hits.ts';
import type { Site, SiteFilter, SourceSite } from '../observe/site-query.ts';
import type { TrendFilter, TrendPoint } from '../observe/trend.ts';
import { type Explanation, explainInSteps } from '../policy/explain.ts';
import type { SourceGroups } from '../policy/source-groups.ts';
import type { Resolver } from '../resolve/resolver.ts';
import { packageVersion } from '../version.ts';
import { descriptorReports } from './descriptor-reports.ts';
import { DiscoveryService } from './discovery-service.ts';
import { sayWhatIsLeft } from './drain-progress.ts';
import { type EcsLookup, gatewayOf, taskLabels, taskMetricLabels } from './ecs-task.ts';
import { planInThread } from './edit-planner.ts';
import { formatEndpoint, toEndpoint } from './endpoint.ts';
import { flowListener } from './flow-listener.ts';
import { makeResolver } from './make-resolver.ts';
import { PolicyEditor } from './policy-editor.ts';
import { PolicyEnds } from './policy-ends.ts';
import type { PolicyLoader } from './policy-loader.ts';
import { PolicyStore } from './policy-store.ts';
import { PresetAdvice } from './preset-advice.ts';
import { RESTART_NEEDED } from './program-files.ts';
import { startDataPlane } from './select-plane.ts';
import { inSlices } from './slices.ts';
import { type Passed, Successor } from './successor.ts';
import type { Surroundings } from './surroundings.ts';
import { TcpNames } from './tcp-names.ts';
import { workerDeaths } from './worker-deaths.ts';

/** How long one direction of a flow may stay silent after the other has ended. */
const HALF_CLOSED_TIMEOUT_MS = 60_000;
/** How long the last log lines may take to be written. */
const FLUSH_MS = 1_000;
/** What ending takes besides the flows. */
const STOP_MS = 5_000;

/** Everything that runs: policy, data plane, admin server, watcher, and the subscribers of what flows do. */
export class Daemon implements DaemonApi {
  readonly log: Log;
  readonly audit: AuditTrail;
  readonly changes: PolicyEditor;
  readonly #config: DaemonConfig;
  readonly #surroundings: Surroundings;
  readonly #successor = new Successor();
  readonly #gateway: string;
  readonly #startedMs = Date.now();
  readonly #metrics: Metrics;
  readonly #labels: Labels;
  readonly #discovery: DiscoveryService;
  readonly #loader: PolicyLoader;
  readonly #policies: PolicyStore;
  readonly #policyEnds: PolicyEnds;
  readonly #advice: PresetAdvice;
  readonly #resolver: Resolver;
  readonly #tcpNames: TcpNames;
  readonly #tail = new LiveTail();
  #state: Status['state'] = 'starting';
  #plane: DataPlane | null = null;
  #admin: AdminServer | null = null;
  #hasSuccessor = false;
  #onRetire: () => void = () => {};
  #watcher: PolicyWatcher | null = null;

  constructor(
    config: DaemonConfig,
    policy: Extract<CompiledLoad, { ok: true }>,
    loader: PolicyLoader,
    ecs: EcsLookup | null,
    surroundings: Surroundings,
  ) {
    const task = ecs?.ok === true ? ecs.task : null;
    this.#config = config;
    this.#surroundings = surroundings;
    this.#loader = loader;
    this.#gateway = config.gateway ?? (task === null ? hostname() : gatewayOf(task));
    this.#labels = task === null ? {} : taskLabels(task);
    this.#metrics = new Metrics({
      version: packageVersion(),
      ...(task === null ? {} : { task: taskMetricLabels(task) }),
    });
    this.log = createLog({ ...config.log, gateway: this.#gateway, labels: this.#labels });
    this.#policies = new PolicyStore({
      path: config.policyPath,
      first: policy,
      loader,
      log: this.log,
      metrics: this.#metrics,
      onChange: (changed, presets) => {
        this.#plane?.setPolicy(changed);
        this.#tcpNames.follow(changed);
        void this.#advice.follow(presets);
        void this.#discovery.followRules();
      },
    });
    this.#policyEnds = new PolicyEnds({
      policy: () => this.#policies.policy,
      log: this.log,
      // The planes hold open flows against it as against a new one.
      onEnd: () => this.#plane?.setPolicy(this.#policies.policy),
    });
    this.#discovery = new DiscoveryService(config.sites, this.log, () => this.#policies.policy);
    this.#resolver = makeResolver(config);
    this.#tcpNames = new TcpNames(this.#resolver);
    this.#advice = new PresetAdvice(this.log, policy.presets);
    this.audit = new AuditTrail(this.log);
    this.changes = new PolicyEditor({
      path: config.policyPath,
      plan: (path, change) => planInThread(path, change, loader),
      reload: trigger => this.reload(trigger),
      obstacles: async source => obstaclesToEnforcing(await this.readiness(READINESS_DEFAULTS), source),
      audit: this.audit,
    });
    loader.programFiles.tell(() => this.log.warn(RESTART_NEEDED, { event: 'restart_needed' }));
    if (surroundings.managerFault !== null) {
      this.log.warn(surroundings.managerFault, { event: 'service_manager' });
    }
    if (ecs?.ok === false) {
      const message = `the ECS metadata endpoint did not say which task this is: ${ecs.reason}`;
      this.log.warn(message, { event: 'ecs_metadata' });
    }
    for (const warning of policy.warnings)
      this.log.warn(formatDiagnostic(warning), { event: 'policy_warning' });
  }

  /**
   * Opens the admin address, then the listeners; where there is a predecessor, its address only when we serve. Throws
   * ListenError. `onFatal`: the data plane has failed, nothing is served any more. `onRetire`: a successor serves.
   */
  async start(onFatal: (error: Error) => void, onRetire: () => void): Promise<void> {
    this.#onRetire = onRetire;
    const openAdmin = () => startAdminServer(this.#config.admin, this);
    this.#tcpNames.follow(this.#policies.policy);
    await this.#discovery.start();
    if (!this.#surroundings.hasPredecessor) this.#admin = await openAdmin();
    const plane = await this.#startPlane(this.#admin?.address ?? this.#config.admin, onFatal);
    this.#plane = plane;
    // The admin server was up before: a reload may have come in between.
    plane.setPolicy(this.#policies.policy);
    this.#tcpNames.inform(plane);
    this.#metrics.readFrom({
      undecidedFlows: () => plane.undecidedFlows,
      openFlows: () => Object.fromEntries(plane.listening.map(({ name }) => [name, plane.openFlows(name)])),
      bytes: () => plane.bytes(),
      sites: () => this.#discovery.discovery.sites,
      siteStore: () => this.#discovery.storeStatus,
      logDropped: () => this.log.dropped,
      policy: () => this.#policies.status(),
    });
    this.#watcher = await watchPolicy(this.#config.policyPath, {
      loadedSha256: () => this.#policies.policy.sha256,
      onChange: async () => (await this.reload('file')).result !== 'failure',
    });
    this.#admin ??= await this.#surroundings.succeed(openAdmin);
    this.#policyEnds.start();
    this.#state = 'ready';
    this.#sayReady(plane);
    void this.#advice.follow();
    if (plane.flowLimit > affordableFlows()) {
      this.log.warn(
        `limits.flows is ${plane.flowLimit}, but the descriptor limit affords ${affordableFlows()} flows (raise LimitNOFILE or ulimit -n)`,
        { event: 'flow_limit_warning' },
      );
    }
  }

  /** Stops accepting, waits for the flows under way, closes everything and writes the last lines. */
  async drain(trigger: string): Promise<void> {
    const timeoutMs = this.#config.limits.drainTimeoutMs;
    const { manager } = this.#surroundings;
    this.#state = 'draining';
    const waiting = `draining: waiting up to ${timeoutMs / 1000} s for open flows`;
    this.log.info(waiting, { event: 'drain', trigger, open_flows: this.#openFlows() });
    manager?.stopping(waiting, timeoutMs + STOP_MS);
    const openFlows = () => this.#openFlows();
    const silence = sayWhatIsLeft({ log: this.log, manager, trigger, openFlows });
    const cut = await this.stop(timeoutMs);
    silence();
    const outcome =
      cut === 0 ? 'all flows have ended' : `${cut} flows were ended after ${timeoutMs / 1000} s`;
    this.log.info(`drained: ${outcome}`, { event: 'drained', trigger, cut });
    await this.log.flush(FLUSH_MS);
  }

  /** Ends everything; flows that are open after `timeoutMs` are cut. Resolves to how many. */
  async stop(timeoutMs: number): Promise<number> {
    // Before anything else: what a closed socket queues is lost.
    const drained = this.#plane?.drain(timeoutMs, this.#hasSuccessor);
    await this.#loader.close();
    await this.#watcher?.close();
    this.#policyEnds.stop();
    this.#tcpNames.stop();
    const cut = (await drained) ?? 0;
    await this.#discovery.close();
    await this.#admin?.close();
    return cut;
  }

  async pass(path: string): Promise<Passed> {
    if (this.#plane === null || this.#state !== 'ready') return { ok: false, error: `it is ${this.#state}` };
    return this.#successor.pass(path, this.#plane.descriptors);
  }

  retire(key: string): boolean {
    if (!this.#successor.has(key)) return false;
    this.#hasSuccessor = true;
    this.#admin?.leave();
    this.#onRetire();
    return true;
  }

  isHealthy(): boolean {
    return this.#state !== 'ready' || this.#isServing;
  }

  isReady(): boolean {
    return this.#state === 'ready' && this.#isServing;
  }

  status(): Status {
    const plane = this.#plane;
    return {
      version: packageVersion(),
      gateway: this.#gateway,
      pid: process.pid,
      startedMs: this.#startedMs,
      state: this.#state,
      dataplane: {
        kind: plane?.kind ?? this.#config.dataplane,
        workers: plane?.workers ?? 0,
        flowLimit: plane?.flowLimit ?? 0,
      },
      listeners: (plane?.listening ?? []).map(({ name, address }, i) => ({
        name,
        kind: this.#config.listeners[i]?.kind ?? 'unknown',
        address: formatEndpoint(address),
        openFlows: plane?.openFlows(name) ?? 0,
      })),
      policy: this.#policies.status(),
      bytes: plane?.bytes() ?? { out: 0, in: 0 },
      sites: this.#discovery.discovery.sites.size,
      siteStore: this.#discovery.storeStatus,
      logLinesDropped: this.log.dropped,
    };
  }

  sites(filter: SiteFilter): Site[] {
    return this.#discovery.sites(filter);
  }

  sourceSites(filter: SiteFilter): SourceSite[] {
    return this.#discovery.sourceSites(filter);
  }

  sourceGroups(): SourceGroups {
    return this.#discovery.sourceGroups();
  }

  trend(step: TrendStep, filter: TrendFilter, sinceMs: number): Promise<TrendPoint[]> {
    return this.#discovery.trend(step, filter, sinceMs);
  }

  readiness(thresholds: ReadinessThresholds): Promise<Readiness> {
    return this.#discovery.readiness(thresholds);
  }

  resetDiscovery(): DiscoveryReset {
    return this.#discovery.reset();
  }

  rules(): Iterable<RuleStatus> {
    return this.#discovery.rules();
  }

  explain(question: ExplainQuestion): Promise<Explanation> {
    return inSlices(
      explainInSteps(
        this.#policies.policy,
        { ...question, nowMs: Date.now() },
        { hints: this.#advice.hints.known, known: this.#tcpNames.known },
      ),
    );
  }

  reload(trigger: string): Promise<ReloadOutcome> {
    return this.#policies.reload(trigger);
  }

  reportFault(request: string, error: Error): void {
    this.log.error(`admin request failed: ${request}: ${error.stack ?? error.message}`, {
      event: 'admin_error',
    });
  }

  reportTokenFile(fault: string): void {
    this.log.warn(`admin: ${fault}`, { event: 'admin_token' });
  }

  liveTail(): LiveTail | null {
    return this.log.saysFlows ? this.#tail : null;
  }

  metrics(): Promise<{ contentType: string; body: string }> {
    return this.#metrics.render();
  }

  get #isServing(): boolean {
    return (this.#plane?.servingWorkers ?? 0) > 0;
  }

  #startPlane(adminAddress: SocketAddress, onFatal: (error: Error) => void): Promise<DataPlane> {
    const { listeners, limits, destinations, onDeny, onPolicyChange, workers, dataplane, log } = this.#config;
    const collector = new Collector({
      log: this.log,
      metrics: this.#metrics,
      sites: this.#discovery.discovery.sites,
      ruleHits: this.#discovery.discovery.ruleHits,
      tail: this.#tail,
    });
    const bound = listeners.map(config => ({
      listener: flowListener(config, this.#gateway),
      address: toEndpoint(config),
      inherited: this.#surroundings.socketsOf(config.name, toEndpoint(config)),
    }));
    this.#surroundings.expectAllTaken();
    return startDataPlane(
      {
        kind: dataplane,
        workers: workers === 'auto' ? availableParallelism() : workers,
        reporter: {
          format: log.format,
          gateway: this.#gateway,
          fold:
            log.foldMs === 0
              ? null
              : { table: createFoldTable(), sources: createFoldTable(), windowMs: log.foldMs },
          labels: this.#labels,
          saysFlows: this.log.saysFlows,
        },
        onReport: report => {
          collector.collect(report);
          this.#advice.hints.add(report.tally.sites, Date.now());
        },
        canRestart: () => !this.#loader.programFiles.haveChanged(),
        onWorkerDeath: workerDeaths(this.log, this.#metrics),
        onFatal,
        onFallback: cause =>
          this.log.warn(`epoll cannot be had, using the portable data plane: ${cause}`, {
            event: 'dataplane_fallback',
          }),
      },
      {
        listeners: bound,
        joinsPredecessor: this.#surroundings.joinsPredecessor,
        gateway: this.#gateway,
        settings: { ...limits, onDeny, onPolicyChange, halfClosedTimeoutMs: HALF_CLOSED_TIMEOUT_MS },
        flowLimit: limits.flows,
        flowsPerSource: limits.flowsPerSource,
        openings: limits,
        guard: destinations,
        ownAddresses: [toEndpoint(adminAddress)],
        policy: this.#policies.policy,
        resolver: this.#resolver,
        onDescriptors: descriptorReports(this.log, this.#metrics),
      },
    );
  }

  #openFlows(): number {
    return (
      this.#plane?.listening.reduce((sum, { name }) => sum + (this.#plane?.openFlows(name) ?? 0), 0) ?? 0
    );
  }

  #sayReady(plane: DataPlane): void {
    const { mode, rules } = this.#policies.status();
    const where = plane.listening
      .map(({ name, address }) => `${name} on ${formatEndpoint(address)}`)
      .join(', ');
    const ready = `ready: listening for ${where}; mode ${mode}, ${rules} rules`;
    this.#surroundings.manager?.ready(ready);
    this.log.info(ready, {
      event: 'ready',
      version: packageVersion(),
      mode,
      rules,
      dataplane: plane.kind,
      workers: plane.workers,
      flow_limit: plane.flowLimit,
      descriptors: descriptorLimit(),
      admin: formatSocketAddress(this.#admin?.address ?? this.#config.admin),
      startup_ms: Math.round(performance.now()),
    });
  }
}
