import type { Json } from './nft.ts';

/** What a program printed, null when that is no JSON. */
export function parseJson(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return null;
  }
}

export function isRecord(value: Json): value is { readonly [key: string]: Json | undefined } {
  return value !== null && typeof value === 'object' && !isList(value);
}

/** `Array.isArray` does not know of readonly arrays. */
export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
