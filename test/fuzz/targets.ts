import type { Target } from './target.ts';
import { clientHello } from './targets/client-hello.ts';
import { helloRetry } from './targets/hello-retry.ts';

/** In the order in which they run. */
export const TARGETS: readonly Target[] = [clientHello, helloRetry];
