/** Values for variables that a policy uses and does not say: what is known of the surroundings. */
export interface PolicyDefaults {
  readonly region?: string;
  readonly account?: string;
  readonly partition?: string;
}

/** What the environment says, by the variables that AWS tools take. */
export function defaultsFromEnv(env: NodeJS.ProcessEnv): PolicyDefaults {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  return region === undefined || region === '' ? {} : { region };
}
