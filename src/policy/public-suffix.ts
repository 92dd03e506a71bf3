import { parse } from 'tldts';
import type { HostPattern } from './pattern.ts';

/**
 * Labels under which providers list customers' names one level down (`s3.amazonaws.com`, `us-east-1.amazonaws.com`).
 * The list cannot be enumerated through its library, so a wildcard that would swallow such a suffix is found by
 * asking for these.
 */
const PROBES = ['s3', 'us-east-1', 'compute', 'storage', 'blob', 'web'];

/** `covered`: names of unrelated owners match, refuse; `registrable`: anyone could register a matching name, warn. */
export type SuffixVerdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'covered' | 'registrable'; readonly suffix: string };

/**
 * Whether wildcards open names of unrelated owners, by the Public Suffix List (ICANN and private sections). Looked
 * at is the rightmost label with a wildcard and the literal labels after it:
 * - wholly `*` or `**` at or above a listed suffix (`*.com`, `**.co.uk`, `*.s3.amazonaws.com`): covered;
 * - a glob with literal characters at a private suffix (`team-*.s3.amazonaws.com`): fine, it names a family of buckets;
 * - a glob with literal characters at an ICANN suffix (`example*.com`): registrable;
 * - a name under no listed suffix (`*.internal`): fine, nobody can register there.
 */
export class SuffixGuard {
  /** Whether suffixes are listed below a registrable domain. One look-up a domain, not one a pattern. */
  readonly #providers = new Map<string, boolean>();

  judge(pattern: HostPattern): SuffixVerdict {
    const wildcard = pattern.labels.findLastIndex(label => label.includes('*'));
    if (wildcard < 0 && !pattern.deep) return { kind: 'fine' };
    const tail = pattern.labels.slice(wildcard + 1).join('.');
    if (tail === '') return { kind: 'covered', suffix: 'every top-level domain' };
    const found = lookUp(tail);
    const isListed = found.publicSuffix === tail && (found.isIcann === true || found.isPrivate === true);
    if (wildcard >= 0 && pattern.labels[wildcard] !== '*') {
      return isListed && found.isIcann === true ? { kind: 'registrable', suffix: tail } : { kind: 'fine' };
    }
    if (isListed) return { kind: 'covered', suffix: tail };
    // `domain` is null only under no listed suffix, where nothing is listed either.
    if (found.domain === null || !this.#isProvider(found.domain)) return { kind: 'fine' };
    const below = suffixBelow(tail);
    return below === null ? { kind: 'fine' } : { kind: 'covered', suffix: below };
  }

  #isProvider(domain: string): boolean {
    let known = this.#providers.get(domain);
    if (known === undefined) {
      known = suffixBelow(domain) !== null || suffixBelow(`core.${domain}`) !== null;
      this.#providers.set(domain, known);
    }
    return known;
  }
}

function suffixBelow(name: string): string | null {
  for (const probe of PROBES) {
    const below = `${probe}.${name}`;
    if (lookUp(below).publicSuffix === below) return below;
  }
  return null;
}

function lookUp(name: string) {
  return parse(name, { allowPrivateDomains: true, extractHostname: false, validateHostname: false });
}
