import { removeNft } from './render.ts';

const HERE = 'RULES';

/** A POSIX shell script that loads a ruleset, text of nft(8), after `before`. It stops at the first failure. */
export function loadScript(ruleset: string, before: readonly string[]): string {
  return ['#!/bin/sh', 'set -eu', ...before, ...feedNft(ruleset), ''].join('\n');
}

/** A POSIX shell script that removes it and whatever `after` removes. */
export function removeScript(after: readonly string[]): string {
  return ['#!/bin/sh', 'set -eu', ...feedNft(removeNft()), ...after, ''].join('\n');
}

function feedNft(text: string): string[] {
  return [`nft -f - <<'${HERE}'`, `${text}${HERE}`];
}
