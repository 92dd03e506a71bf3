import { defaultsFromEnv, type PolicyDefaults } from '../config/policy-defaults.ts';
import { type EcsLookup, readEcsTask } from '../daemon/ecs-task.ts';
import type { Io } from './io.ts';

/** What is known of the surroundings: the ECS task, and what the environment says, which wins. */
export interface Surroundings {
  /** Null outside ECS. */
  readonly ecs: EcsLookup | null;
  /** For variables that a policy uses and does not say. */
  readonly defaults: PolicyDefaults;
}

/** Every command judges a policy as the daemon beside it does. Outside ECS nobody is asked. */
export async function readSurroundings({ env }: Pick<Io, 'env'>): Promise<Surroundings> {
  const ecs = await readEcsTask(env);
  return { ecs, defaults: { ...taskDefaults(ecs), ...defaultsFromEnv(env) } };
}

function taskDefaults(ecs: EcsLookup | null): PolicyDefaults {
  if (ecs?.ok !== true) return {};
  const { region, account, partition } = ecs.task;
  return { region, account, partition };
}
