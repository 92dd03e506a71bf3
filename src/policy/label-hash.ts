/** FNV-1a over the char codes of `text[from, to)`, continued from `hash`. */
export function hashText(text: string, from: number, to: number, hash: number): number {
  let result = hash;
  for (let i = from; i < to; i++) result = Math.imul(result ^ text.charCodeAt(i), 0x01000193);
  return result;
}

/** The hash of an edge: its text under its parent, mixed (the finaliser of MurmurHash3) because slots use the low bits. */
export function hashEdge(textHash: number, parent: number, tag: number): number {
  let hash = textHash ^ Math.imul(parent, 0x9e3779b1) ^ Math.imul(tag, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Where the look-up of a rule's name begins. */
export function hashName(name: string, seed: number): number {
  return hashEdge(hashText(name, 0, name.length, seed), 0, name.length);
}
