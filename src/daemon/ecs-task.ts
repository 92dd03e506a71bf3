import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import type { Labels } from '../observe/log.ts';
import type { TaskLabels } from '../observe/metrics.ts';
import { fetchJson } from './fetch-json.ts';

/** The ECS task this process runs in. All texts are of the letters that ECS allows in them. */
export interface EcsTask {
  readonly arn: string;
  /** The last part of the ARN. */
  readonly id: string;
  readonly family: string;
  readonly revision: string;
  /** By its name. */
  readonly cluster: string;
  /** The name of this container in the task definition. */
  readonly container: string;
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

export type EcsLookup =
  | { readonly ok: true; readonly task: EcsTask }
  /** The task says where to ask, and no usable answer came. */
  | { readonly ok: false; readonly reason: string };

/** Set by the ECS agent, from platform version 1.4.0 on. */
const VARIABLE = 'ECS_CONTAINER_METADATA_URI_V4';
const TIMEOUT_MS = 1_000;
const RETRY_MS = 50;
const MAX_GATEWAY_CHARS = 128;

const ARN =
  /^arn:(aws[a-z-]{0,32}):ecs:([a-z0-9-]{1,32}):(\d{12}):task\/(?:[\w-]{1,255}\/)?([A-Za-z0-9-]{1,64})$/;
const taskAnswer = z.object({
  TaskARN: z.string().regex(ARN),
  Cluster: z.string().regex(/^(?:arn:[\w:-]{1,128}:cluster\/)?[\w-]{1,255}$/),
  Family: z.string().regex(/^[\w-]{1,255}$/),
  Revision: z.string().regex(/^\d{1,10}$/),
});
const containerAnswer = z.object({ Name: z.string().regex(/^[\w-]{1,255}$/) });

/**
 * Asks the task metadata endpoint, version 4, which task this is. Null outside ECS, without asking anybody. An endpoint
 * that does not answer is asked again until `timeoutMs` have passed.
 */
export async function readEcsTask(
  env: NodeJS.ProcessEnv,
  timeoutMs: number = TIMEOUT_MS,
): Promise<EcsLookup | null> {
  const uri = env[VARIABLE];
  if (uri === undefined || uri === '') return null;
  const url = URL.parse(uri);
  if (url === null || url.protocol !== 'http:') return { ok: false, reason: `${VARIABLE} is no http URL` };
  const deadline = AbortSignal.timeout(timeoutMs);
  let reason = 'no answer in time';
  for (;;) {
    const [container, task] = await Promise.all([
      fetchJson(url, deadline),
      fetchJson(new URL(`${url.pathname.replace(/\/$/, '')}/task`, url), deadline),
    ]);
    if (container.ok && task.ok) return understand(container.value, task.value);
    // What was cut off by the deadline says less than what came before.
    for (const answer of [container, task]) if (!answer.ok && !deadline.aborted) reason = answer.reason;
    await wait(RETRY_MS, undefined, { signal: deadline }).catch(() => {});
    if (deadline.aborted) return { ok: false, reason };
  }
}

/** The name of a gateway that is given none: of the task definition and of the task. */
export function gatewayOf({ family, id }: EcsTask): string {
  return `${family.slice(0, MAX_GATEWAY_CHARS - id.length - 1)}-${id}`;
}

/** What log records say of the task. */
export function taskLabels({ id, cluster, container, family, revision }: EcsTask): Labels {
  return {
    ecs_cluster: cluster,
    ecs_family: family,
    ecs_revision: revision,
    ecs_task: id,
    ecs_container: container,
  };
}

export function taskMetricLabels({ arn, family, revision, cluster, container, region }: EcsTask): TaskLabels {
  return { task_arn: arn, family, revision, cluster, container, region };
}

function understand(container: unknown, task: unknown): EcsLookup {
  const [named, described] = [containerAnswer.safeParse(container), taskAnswer.safeParse(task)];
  if (!named.success || !described.success) {
    const issues = [...(named.error?.issues ?? []), ...(described.error?.issues ?? [])];
    const wrong = issues.map(({ path }) => path.join('.') || 'the whole').join(', ');
    return { ok: false, reason: `the answer is not as ECS documents it (${wrong})` };
  }
  const { TaskARN: arn, Cluster, Family: family, Revision: revision } = described.data;
  const [, partition = '', region = '', account = '', id = ''] = ARN.exec(arn) ?? [];
  const cluster = Cluster.slice(Cluster.lastIndexOf('/') + 1);
  return {
    ok: true,
    task: { arn, id, family, revision, cluster, container: named.data.Name, partition, region, account },
  };
}
