import { HOSTNAME_FAULTS } from './hostname.ts';

/**
 * Why an opening is no ClientHello that a filter may trust: the closed list behind `reason`. All of these are
 * refused by strict TLS stacks, or read differently by different ones, which is what a bypass is made of.
 */
export const CLIENT_HELLO_FAULTS = {
  'first-record': 'the flow opens with a TLS record that is not a handshake record',
  'interleaved-record': 'another kind of record, or none, between two fragments of the hello (RFC 8446 §5.1)',
  'record-empty': 'a handshake record of length zero (RFC 8446 §5.1)',
  'record-too-long': 'a record of more than 2^14 bytes (RFC 8446 §5.1)',
  'handshake-type': 'the first handshake message is not a ClientHello',
  'trailing-bytes': 'the record that completes the hello holds more handshake bytes',
  'legacy-version': 'legacy_version is not from 0x0301 to 0x0304',
  'body-truncated': 'a fixed field or a vector of the hello runs past its end',
  'session-id': 'legacy_session_id is longer than 32 bytes',
  'cipher-suites': 'cipher_suites is empty or of odd length',
  'compression-methods': 'legacy_compression_methods is empty',
  'extensions-length': 'the extensions do not end where the hello ends',
  'extension-truncated': 'an extension runs past the end of the extensions',
  'extension-duplicate': 'an extension type occurs twice (RFC 8446 §4.2)',
  'server-name-empty': 'server_name is empty or holds an empty list',
  'server-name-length': 'a length inside server_name does not add up',
  'server-name-type': 'server_name holds an entry that is not a host_name',
  'server-name-count': 'server_name holds more than one entry',
  alpn: 'the ALPN list is empty, holds an empty name, or a length does not add up (RFC 7301 §3.1)',
  'supported-versions': 'supported_versions is empty, odd, or its length does not add up (RFC 8446 §4.2.1)',
  ...HOSTNAME_FAULTS,
} as const;

export type ClientHelloFault = keyof typeof CLIENT_HELLO_FAULTS;
