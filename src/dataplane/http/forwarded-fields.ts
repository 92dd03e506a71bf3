import { listOf, valuesOf } from '../../sniff/http-fields.ts';
import type { HeaderField } from '../../sniff/http-line.ts';

/** Of one connection, not of the message: never forwarded as they are (RFC 9110 §7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings'];
/** For the proxy alone (RFC 9110 §11.7.2). */
const FOR_THE_PROXY = ['proxy-authorization'];
/** A Connection line may name them, but has no say over them: where a message goes, and where it ends. */
const NEVER_NOMINATED = new Set(['host', 'content-length', 'transfer-encoding', 'trailer', 'expect']);
/** What a trailer may not change (RFC 9110 §6.5.1). */
const NO_TRAILERS = new Set(
  [...HOP_BY_HOP, ...FOR_THE_PROXY, ...NEVER_NOMINATED].concat('authorization', 'set-cookie'),
);

/** Header names and values in turn, as node:http has them. */
export type RawFields = readonly string[];

export function pairsOf(raw: RawFields): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return fields;
}

export interface RequestToForward {
  readonly headers: readonly HeaderField[];
  /** What the Host line says. */
  readonly authority: string;
  readonly isChunked: boolean;
  /** Whether to ask for the change of protocol that the client asks for. */
  readonly upgrades: boolean;
}

/** The header lines of a request as they go upstream: in order and letter case of the client's, and none of ours. */
export function requestFields({ headers, authority, isChunked, upgrades }: RequestToForward): HeaderField[] {
  const options = connectionOptions(headers);
  const dropped = new Set([...HOP_BY_HOP, ...FOR_THE_PROXY, ...nominated(options)]);
  const kept = ['close', 'keep-alive'];
  if (takesTrailers(headers)) {
    dropped.delete('te');
    kept.push('te');
  }
  if (upgrades) {
    dropped.delete('upgrade');
    kept.push('upgrade');
  }
  if (!isChunked) dropped.add('trailer');
  const connection = options.filter(option => kept.includes(option.toLowerCase())).join(', ');
  const fields = rewritten(headers, dropped, connection).map(
    ([name, value]): HeaderField => (name.toLowerCase() === 'te' ? [name, 'trailers'] : [name, value]),
  );
  return valuesOf(fields, 'host').length > 0 ? fields : [['Host', authority], ...fields];
}

export interface ResponseToForward {
  readonly headers: readonly HeaderField[];
  readonly status: number;
  /** Whether the client is one of HTTP/1.0, to which nothing is sent chunked. */
  readonly isOldClient: boolean;
  /** Whether the client's connection stays open afterwards. */
  readonly keepsAlive: boolean;
}

/** The header lines of a response as they go to the client. */
export function responseFields({
  headers,
  status,
  isOldClient,
  keepsAlive,
}: ResponseToForward): HeaderField[] {
  const options = connectionOptions(headers);
  const dropped = new Set([...HOP_BY_HOP, ...nominated(options)]);
  const isChunked = isChunkedResponse(headers) && !isOldClient && status !== 204 && status !== 304;
  if (!isChunked) dropped.add('transfer-encoding').add('trailer');
  const says: string[] = [];
  if (!keepsAlive) says.push('close');
  else if (isOldClient || options.some(option => option.toLowerCase() === 'keep-alive'))
    says.push('keep-alive');
  if (status === 426) {
    // Upgrade Required says to what (RFC 9110 §15.5.22).
    dropped.delete('upgrade');
    says.push('upgrade');
  }
  const connection = says.join(', ');
  const fields = rewritten(headers, dropped, connection);
  if (connection === '' || valuesOf(fields, 'connection').length > 0) return fields;
  return [...fields, ['Connection', connection]];
}

/** The header lines that belong to an answer of 101, after which the connection speaks another protocol. */
export function switchingFields(headers: readonly HeaderField[]): HeaderField[] {
  const dropped = new Set([...HOP_BY_HOP, ...nominated(connectionOptions(headers))]);
  for (const name of ['content-length', 'transfer-encoding', 'trailer']) dropped.add(name);
  dropped.delete('upgrade');
  return rewritten(headers, dropped, 'Upgrade');
}

/** The header lines of an informational response. */
export function informationalFields(headers: readonly HeaderField[]): HeaderField[] {
  const dropped = new Set([...HOP_BY_HOP, ...nominated(connectionOptions(headers))]);
  for (const name of ['content-length', 'transfer-encoding', 'trailer']) dropped.add(name);
  return rewritten(headers, dropped, '');
}

export function trailerFields(trailers: readonly HeaderField[]): [string, string][] {
  return trailers
    .filter(([name]) => !NO_TRAILERS.has(name.toLowerCase()))
    .map(([name, value]) => [name, value]);
}

/** Whether a response carries `Transfer-Encoding: chunked` and nothing else of that kind; `identity` says nothing. */
function isChunkedResponse(headers: readonly HeaderField[]): boolean {
  return listOf(valuesOf(headers, 'transfer-encoding')).some(coding => coding.toLowerCase() === 'chunked');
}

/** Whether the transfer codings of a response are ones that node:http undoes: chunked at most. */
export function isReadableCoding(headers: readonly HeaderField[]): boolean {
  const codings = listOf(valuesOf(headers, 'transfer-encoding')).map(coding => coding.toLowerCase());
  return codings.length === 0 || (codings.length === 1 && ['chunked', 'identity'].includes(codings[0] ?? ''));
}

function connectionOptions(headers: readonly HeaderField[]): string[] {
  return listOf(valuesOf(headers, 'connection'));
}

function nominated(options: readonly string[]): string[] {
  return options.map(option => option.toLowerCase()).filter(option => !NEVER_NOMINATED.has(option));
}

function takesTrailers(headers: readonly HeaderField[]): boolean {
  return listOf(valuesOf(headers, 'te')).some(coding => coding.toLowerCase() === 'trailers');
}

/** Leaves out what is dropped; the first Connection line, if any is to be said, says ours. */
function rewritten(
  headers: readonly HeaderField[],
  dropped: ReadonlySet<string>,
  connection: string,
): HeaderField[] {
  const fields: HeaderField[] = [];
  let isSaid = connection === '';
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'connection') {
      if (!isSaid) fields.push([name, connection]);
      isSaid = true;
    } else if (!dropped.has(key)) {
      fields.push([name, value]);
    }
  }
  return fields;
}
