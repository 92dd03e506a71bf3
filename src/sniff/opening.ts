/** What a flow on an explicit listener begins with, as far as its first byte tells. */
export type Opening = 'socks5' | 'http' | 'tls' | 'unknown';

/**
 * Tells the protocol by the first byte (0 to 255): 5 is SOCKS5 (RFC 1928 §3), 22 a TLS handshake record
 * (RFC 8446 §5.1), an upper-case letter an HTTP method. The parser of that protocol has the last word.
 */
export function classifyOpening(firstByte: number): Opening {
  if (firstByte === 0x05) return 'socks5';
  if (firstByte === 0x16) return 'tls';
  return firstByte >= 0x41 && firstByte <= 0x5a ? 'http' : 'unknown';
}
