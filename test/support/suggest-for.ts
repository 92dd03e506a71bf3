import { commentAfter, commentBefore, commentOnRule } from '../../src/cli/suggest-comments.ts';
import { suggestionYaml } from '../../src/cli/suggest-yaml.ts';
import type { PresetCatalogue } from '../../src/policy/presets.ts';
import type { SeenFlow } from '../../src/policy/seen-flow.ts';
import { suggestPolicy } from '../../src/policy/suggest.ts';
import { sitesOf } from '../policy/suggest-support.ts';

export interface SuggestedOptions {
  readonly presets: PresetCatalogue;
  readonly exact: boolean;
  readonly bySource: boolean;
  readonly minSiblings: number;
}

/** The enforcing policy that is suggested for flows of logs, and how `sallyport suggest` prints it. */
export function suggestFor(
  flows: readonly SeenFlow[],
  { presets, exact, bySource, minSiblings }: SuggestedOptions,
) {
  const sites = sitesOf(flows, { sourcePrefix: bySource ? { v4: 24, v6: 128 } : null });
  const suggestion = suggestPolicy(sites, { mode: 'enforce', exact, minSiblings, presets, existing: null });
  const yaml = suggestionYaml(suggestion, {
    before: commentBefore(sites, { hasLogs: true, existing: null }),
    beforeRule: commentOnRule,
    after: commentAfter(sites),
  });
  return { suggestion, yaml };
}
