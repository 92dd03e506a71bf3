import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const MIN_CHARS = 16;
const MAX_BYTES = 4096;
/** RFC 6750 §2.1: what a header can carry. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
/** RFC 9110 §11.1: the name of a scheme has no case. */
const CREDENTIALS = /^bearer +(\S+)$/i;

export type TokenText =
  | { readonly ok: true; readonly token: string }
  /** `message` never holds what was read. */
  | { readonly ok: false; readonly message: string };

/** The token that a text is, without the white space around it. */
export function parseToken(text: string): TokenText {
  const token = text.trim();
  if (token.length < MIN_CHARS) {
    const fix = 'head -c 32 /dev/urandom | base64 makes a good token';
    return { ok: false, message: `holds fewer than ${MIN_CHARS} characters (${fix})` };
  }
  if (token.length > MAX_BYTES) return { ok: false, message: `holds more than ${MAX_BYTES} characters` };
  if (!TOKEN.test(token)) {
    const fix = 'a token is one line of letters, digits and - . _ ~ + /';
    return { ok: false, message: `holds characters that a header cannot carry (${fix})` };
  }
  return { ok: true, token };
}

/** Whether a request may do what wants the token; `unusable`: there is no token that anybody could have. */
export type TokenVerdict = 'accepted' | 'refused' | 'unusable';

/**
 * The bearer token in a file. The file is read at each use, so that another token holds from the next request on, and
 * none while it cannot be read.
 */
export class TokenFile {
  readonly #file: string;
  readonly #onFault: (fault: string) => void;
  #lastFault: string | null = null;

  /** `onFault` is told, once until another comes, why the file is of no use any more. */
  constructor(file: string, onFault: (fault: string) => void) {
    this.#file = file;
    this.#onFault = onFault;
  }

  /** What is amiss with the file: `fault` makes it unusable, `warning` does not. Both name it. */
  async check(): Promise<{ readonly fault: string | null; readonly warning: string | null }> {
    const read = await readTokenFile(this.#file);
    if (!read.ok) return { fault: read.message, warning: null };
    const warning = read.isOpenToAll
      ? `tokenFile ${this.#file} can be read or written by every user of this host (chmod o= ${this.#file})`
      : null;
    return { fault: null, warning };
  }

  /** Holds an `Authorization` header against the file, in a time that tells nothing of the token. */
  async verify(authorization: string | undefined): Promise<TokenVerdict> {
    const read = await readTokenFile(this.#file);
    if (!read.ok) {
      if (read.message !== this.#lastFault) this.#onFault(read.message);
      this.#lastFault = read.message;
      return 'unusable';
    }
    this.#lastFault = null;
    const presented = CREDENTIALS.exec(authorization ?? '')?.[1];
    if (presented === undefined) return 'refused';
    return timingSafeEqual(digest(presented), digest(read.token)) ? 'accepted' : 'refused';
  }
}

type TokenRead =
  | { readonly ok: true; readonly token: string; readonly isOpenToAll: boolean }
  | { readonly ok: false; readonly message: string };

/** The token in a file, as it is now. */
export async function readTokenFile(file: string): Promise<TokenRead> {
  try {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (!info.isFile()) return { ok: false, message: `tokenFile ${file} is not a regular file` };
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
      const parsed = parseToken(buffer.toString('latin1', 0, bytesRead));
      if (!parsed.ok) return { ok: false, message: `tokenFile ${file} ${parsed.message}` };
      return { ...parsed, isOpenToAll: (info.mode & 0o006) !== 0 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { ok: false, message: `cannot read tokenFile ${file}: ${error}` };
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
