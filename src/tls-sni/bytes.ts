/** Big-endian reads. Callers check bounds first; a byte beyond the end reads as 0 and never throws. */
export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/**
 * One character per byte (ISO 8859-1), copied out of `bytes`. TextDecoder would not do: its `latin1` is
 * windows-1252, which moves 0x80 to 0x9f.
 */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(u8(bytes, i));
  return text;
}
