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
  let at = start;
  // Eight at a time: joining halves the cost of a name, and spreading a view takes five times as long.
  for (; at + 8 <= end; at += 8) {
    text += String.fromCharCode(
      u8(bytes, at),
      u8(bytes, at + 1),
      u8(bytes, at + 2),
      u8(bytes, at + 3),
      u8(bytes, at + 4),
      u8(bytes, at + 5),
      u8(bytes, at + 6),
      u8(bytes, at + 7),
    );
  }
  for (; at < end; at++) text += String.fromCharCode(u8(bytes, at));
  return text;
}
