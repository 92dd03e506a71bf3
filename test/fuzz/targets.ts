import type { Target } from './target.ts';
import { clientHello } from './targets/client-hello.ts';
import { config } from './targets/config.ts';
import { helloRetry } from './targets/hello-retry.ts';
import { log } from './targets/log.ts';
import { peers } from './targets/peers.ts';
import { planes } from './targets/planes.ts';
import { policy } from './targets/policy.ts';
import { resolver } from './targets/resolver.ts';
import { sniffers } from './targets/sniffers.ts';
import { suggest } from './targets/suggest.ts';

/** In the order in which they run. */
export const TARGETS: readonly Target[] = [
  clientHello,
  helloRetry,
  sniffers,
  peers,
  policy,
  config,
  log,
  resolver,
  planes,
  suggest,
];
