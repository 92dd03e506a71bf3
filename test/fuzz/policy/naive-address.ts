/** The 128 bits of an address as text, IPv4 in its mapped form. Standard forms only. */
export function bitsOf(address: string): string {
  if (!address.includes(':')) {
    const octets = address.split('.').map(octet => Number(octet).toString(2).padStart(8, '0'));
    return '0'.repeat(80) + '1'.repeat(16) + octets.join('');
  }
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right]
    .map(part => Number.parseInt(part, 16).toString(2).padStart(16, '0'))
    .join('');
}

/** How many bits of 128 a block fixes. */
export function prefixOf(block: string): number {
  const [address = '', length] = block.split('/');
  const isV4 = !address.includes(':');
  return length === undefined ? 128 : Number(length) + (isV4 ? 96 : 0);
}

export function blockHolds(block: string, address: string): boolean {
  const prefix = prefixOf(block);
  // IPv4 is not inside of ::/0: only its spelling is.
  if (!address.includes(':') && prefix < 96) return false;
  return bitsOf(block.split('/')[0] ?? '').slice(0, prefix) === bitsOf(address).slice(0, prefix);
}
