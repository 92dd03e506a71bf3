import { type DaemonOptions, type FlowRecords, type LogLine, TestDaemon } from './daemon.ts';
import type { Plane } from './planes.ts';

export interface EgressOptions {
  readonly dataplane: Plane;
  /** Where flows go: the sni listener's upstream port, and the port that rules are about. */
  readonly upstreamPort: number;
  readonly mode?: 'observe' | 'enforce';
  readonly limits?: Readonly<Record<string, unknown>>;
  /** More keys of sallyport.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
  /** After `run -c FILE`. */
  readonly args?: readonly string[];
  /** After `node`. */
  readonly nodeArgs?: readonly string[];
  /** Before `node`. */
  readonly prefix?: readonly string[];
  readonly main?: string;
}

/** A policy that allows allowed.example on one port, by a rule of that name. */
export function allowedExample(port: number, mode: 'observe' | 'enforce' = 'enforce', rule = 'upstream') {
  return { mode, rules: [{ name: rule, hosts: ['allowed.example'], ports: [port] }] };
}

/**
 * A daemon with an explicit listener `proxy` and a sni listener `tls`, for which allowed.example, denied.example and
 * fallback.example are this host. Only allowed.example is allowed.
 */
export function startEgress({
  dataplane,
  upstreamPort,
  mode = 'enforce',
  limits = {},
  config = {},
  ...rest
}: EgressOptions): Promise<TestDaemon> {
  const options: DaemonOptions = {
    policy: allowedExample(upstreamPort, mode),
    config: {
      dataplane,
      workers: 2,
      listeners: [
        { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
        { name: 'tls', kind: 'sni', address: '127.0.0.1:0', upstreamPort },
      ],
      dns: { hosts: { 'allowed.example': '127.0.0.1', 'denied.example': '127.0.0.1' } },
      destinations: { allow: ['127.0.0.0/8', '::1'] },
      limits,
      ...config,
    },
    ...rest,
  };
  return TestDaemon.start(options);
}

/** The records of all flows in `lines`, each checked to be one decision followed by one close of the same identity. */
export function pairRecords(lines: readonly LogLine[]): FlowRecords[] {
  const decisions = new Map<unknown, LogLine>();
  const pairs = new Map<unknown, FlowRecords>();
  for (const line of lines) {
    if (line.event === 'decision') {
      if (decisions.has(line.flow)) throw new Error(`flow ${line.flow} was decided twice`);
      decisions.set(line.flow, line);
    } else if (line.event === 'close') {
      const decision = decisions.get(line.flow);
      if (decision === undefined) throw new Error(`flow ${line.flow} was closed before it was decided`);
      if (pairs.has(line.flow)) throw new Error(`flow ${line.flow} was closed twice`);
      pairs.set(line.flow, { decision, close: line });
    }
  }
  if (pairs.size !== decisions.size) {
    throw new Error(`${decisions.size} flows were decided, ${pairs.size} closed`);
  }
  return [...pairs.values()];
}
