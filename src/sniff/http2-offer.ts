import { listOf, valuesOf } from './http-fields.ts';
import type { HeaderField } from './http-line.ts';

const HTTP2 = 'h2c';

/** The protocols that a request offers to change to, without HTTP/2. */
export function otherProtocols(fields: readonly HeaderField[]): string[] {
  return listOf(valuesOf(fields, 'upgrade')).filter(protocol => !isHttp2(protocol));
}

/**
 * The header lines of a request that offers to change to HTTP/2 (RFC 7540 §3.2), as if it did not, which is how a server
 * declines (RFC 9110 §7.8): its requests could not be seen one by one. Null where nothing of the kind is offered.
 */
export function withoutHttp2Offer(fields: readonly HeaderField[]): HeaderField[] | null {
  const offered = listOf(valuesOf(fields, 'upgrade'));
  if (!offered.some(isHttp2)) return null;
  const others = otherProtocols(fields);
  const dropped = new Set(others.length > 0 ? ['http2-settings'] : ['http2-settings', 'upgrade']);
  return fields.flatMap(([name, value]): HeaderField[] => {
    const key = name.toLowerCase();
    if (dropped.has(key)) return [];
    if (key === 'upgrade') return kept(name, value, protocol => !isHttp2(protocol));
    if (key === 'connection') return kept(name, value, option => !dropped.has(option.toLowerCase()));
    return [[name, value]];
  });
}

function isHttp2(protocol: string): boolean {
  return protocol.toLowerCase() === HTTP2;
}

/** The line with what is kept of its list; none when that is nothing. */
function kept(name: string, value: string, keeps: (element: string) => boolean): HeaderField[] {
  const elements = listOf([value]).filter(keeps);
  return elements.length > 0 ? [[name, elements.join(', ')]] : [];
}
