import type { Target } from './target.ts';
import { clientHello } from './targets/client-hello.ts';
import { helloRetry } from './targets/hello-retry.ts';
import { peers } from './targets/peers.ts';
import { policy } from './targets/policy.ts';
import { sniffers } from './targets/sniffers.ts';

/** In the order in which they run. */
export const TARGETS: readonly Target[] = [clientHello, helloRetry, sniffers, peers, policy];
