import { parseArgs } from 'node:util';
import type { Intercept } from './gateway-config.ts';

export type LabOptions =
  | { readonly what: 'run'; readonly intercepts: readonly Intercept[]; readonly keep: boolean }
  | { readonly what: 'remove' }
  | { readonly what: 'help' }
  | { readonly what: 'wrong'; readonly problem: string };

const INTERCEPTS: readonly Intercept[] = ['redirect', 'tproxy'];

export const USAGE = `npm run lab [-- OPTIONS]

Builds two networks of clients, a gateway with the real daemon and the real ruleset, a load balancer and servers in
network namespaces of this host, tries in both IP versions what a gateway must do, and says line by line what happened.
Everything is removed afterwards. It needs root on Linux, and does not touch the network of this host.

  --intercept redirect|tproxy  only this way to lead traffic to the daemon; both by default
  --keep                       leave the last one standing, and say how to look around in it
  --remove                     remove those that were left standing, or whose process has died
  --help                       this text

Exit codes: 0 all is as it must be, 1 something is not, 2 the lab cannot be built here.
`;

/** Reads the arguments of `npm run lab`. */
export function parseLabOptions(args: readonly string[]): LabOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        intercept: { type: 'string' },
        keep: { type: 'boolean', default: false },
        remove: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { intercept, keep, remove, help } = values;
    if (help) return { what: 'help' };
    if (remove && (keep || intercept !== undefined)) {
      return { what: 'wrong', problem: '--remove goes with no other option' };
    }
    if (remove) return { what: 'remove' };
    const intercepts = INTERCEPTS.filter(one => intercept === undefined || one === intercept);
    if (intercepts.length > 0) return { what: 'run', intercepts, keep };
    return { what: 'wrong', problem: `--intercept ${intercept}: no such way (redirect or tproxy)` };
  } catch (error) {
    return { what: 'wrong', problem: error instanceof Error ? error.message : String(error) };
  }
}
