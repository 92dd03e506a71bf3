import { parse } from 'tldts';
import type { HostPattern } from './pattern.ts';

/**
 * Labels under which providers list customers' names one level down (`s3.amazonaws.com`, `us-east-1.amazonaws.com`,
 * `blob.core.windows.net`). The list cannot be enumerated through its library, so a wildcard that would swallow such
 * a suffix is found by asking for these.
 */
const PROBES = ['s3', 'us-east-1', 'compute', 'blob', 'web', 'storage', 'pages', 'cdn', 'cloud', 'apps'];

/** `covered`: names of unrelated owners match, refuse; `registrable`: anyone could register a matching name, warn. */
export type SuffixVerdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'covered' | 'registrable'; readonly suffix: string };

/**
 * Whether a wildcard opens names of unrelated owners, by the Public Suffix List (ICANN and private sections). Looked
 * at is the rightmost label with a wildcard and the literal labels after it:
 * - wholly `*` or `**` at or above a listed suffix (`*.com`, `**.co.uk`, `*.s3.amazonaws.com`): covered;
 * - a glob with literal characters at a private suffix (`team-*.s3.amazonaws.com`): fine, it names a family of buckets;
 * - a glob with literal characters at an ICANN suffix (`example*.com`): registrable;
 * - a name under no listed suffix (`*.internal`): fine, nobody can register there.
 */
export function judgeSuffix(pattern: HostPattern): SuffixVerdict {
  const wildcard = pattern.labels.findLastIndex(label => label.includes('*'));
  if (wildcard < 0 && !pattern.deep) return { kind: 'fine' };
  const tail = pattern.labels.slice(wildcard + 1).join('.');
  if (tail === '') return { kind: 'covered', suffix: 'every top-level domain' };
  const wholly = wildcard < 0 || pattern.labels[wildcard] === '*';
  if (!wholly) return isListed(tail, 'icann') ? { kind: 'registrable', suffix: tail } : { kind: 'fine' };
  if (isListed(tail, 'any')) return { kind: 'covered', suffix: tail };
  const below = PROBES.find(probe => isListed(`${probe}.${tail}`, 'any'));
  return below === undefined ? { kind: 'fine' } : { kind: 'covered', suffix: `${below}.${tail}` };
}

function isListed(name: string, section: 'icann' | 'any'): boolean {
  const found = parse(name, { allowPrivateDomains: true, validateHostname: false });
  if (found.publicSuffix !== name) return false;
  return found.isIcann === true || (section === 'any' && found.isPrivate === true);
}
