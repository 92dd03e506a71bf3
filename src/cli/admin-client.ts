import { readFileSync } from 'node:fs';
import { parseToken } from '../admin/bearer-token.ts';
import { type Options, textOption } from './command.ts';
import { CommandFailure, type Io, UsageError } from './io.ts';

const DEFAULT_ADMIN = 'http://127.0.0.1:9464';
const TIMEOUT_MS = 5_000;

export interface AdminAnswer {
  readonly status: number;
  /** The body as JSON; null when it is none. */
  readonly body: unknown;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** For questions that take longer than reading a value. */
  readonly timeoutMs?: number;
}

/** Asks the admin HTTP of a running daemon. */
export class AdminClient {
  readonly #base: URL;
  readonly #token: string | null;

  constructor(options: Options, io: Io) {
    this.#base = readBase(textOption(options, 'admin') ?? io.env.SALLYPORT_ADMIN ?? DEFAULT_ADMIN);
    this.#token = readToken(textOption(options, 'tokenFile'), io.env.SALLYPORT_TOKEN);
  }

  /**
   * Listens to server-sent events: their kind (`message` where none is said) and data. Throws CommandFailure when the
   * daemon does not answer, or not with events, and another error when the connection breaks or `signal` fires.
   */
  async *follow(path: string, signal: AbortSignal): AsyncGenerator<{ kind: string; data: string }> {
    const response = await this.#fetch(path, { headers: this.#headers({}), signal });
    if (response.status !== 200 || response.body === null) {
      expectOk({ status: response.status, body: await response.json().catch(() => null) });
      return;
    }
    const decoder = new TextDecoder();
    let [kind, rest] = ['message', ''];
    for await (const chunk of response.body) {
      const lines = `${rest}${decoder.decode(chunk, { stream: true })}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('event: ')) kind = line.slice('event: '.length);
        else if (line.startsWith('data: ')) yield { kind, data: line.slice('data: '.length) };
        else if (line === '') kind = 'message';
      }
    }
  }

  /** Throws CommandFailure when the daemon does not answer. */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    { headers: more = {}, timeoutMs = TIMEOUT_MS }: AskOptions = {},
  ): Promise<AdminAnswer> {
    const headers = this.#headers(more);
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await this.#fetch(path, {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  }

  /** The same, for questions that only a 200 answers. */
  async get<T>(path: string): Promise<T> {
    return expectOk<T>(await this.ask('GET', path));
  }

  #headers(more: Readonly<Record<string, string>>): Record<string, string> {
    return this.#token === null ? { ...more } : { ...more, authorization: `Bearer ${this.#token}` };
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    // Who else is asked would get to see the token.
    return fetch(new URL(path, this.#base), { ...init, redirect: 'manual' }).catch((error: unknown) => {
      throw new CommandFailure(
        `no daemon answers at ${this.#base.origin}: ${causeOf(error)} (is it running? --admin or SALLYPORT_ADMIN names another address)`,
        { cause: error },
      );
    });
  }
}

/**
 * Takes the body of an answer that is a 200. Otherwise throws with the daemon's own words: a UsageError where it says
 * that the question was wrong, else a CommandFailure.
 */
export function expectOk<T>({ status, body }: AdminAnswer): T {
  if (status === 200) return body as T;
  const said = body !== null && typeof body === 'object' && 'error' in body ? String(body.error) : '';
  if (status === 400 && said !== '') throw new UsageError(said);
  throw new CommandFailure(`the daemon answered ${status}${said === '' ? '' : `: ${said}`}`);
}

/** The named options that were given, as the parameters of a URL. */
export function queryOf(options: Options, names: readonly string[]): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of names) {
    const value = textOption(options, name);
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

function readBase(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  const fix = 'write 127.0.0.1:9464 or http://127.0.0.1:9464';
  if (url !== null && (url.username !== '' || url.password !== '')) {
    throw new UsageError(
      `the admin address holds a name or a password: the daemon takes a token only (${fix})`,
    );
  }
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UsageError(`--admin ${text}: no address (${fix})`);
  }
  return url;
}

/** A token that no header can carry would be told in the message of the fault that it makes. */
function readToken(file: string | undefined, variable: string | undefined): string | null {
  if (file === undefined && (variable === undefined || variable === '')) return null;
  const parsed = parseToken(file === undefined ? (variable ?? '') : readTokenFile(file));
  if (parsed.ok) return parsed.token;
  throw new UsageError(
    `${file === undefined ? 'SALLYPORT_TOKEN' : `--token-file ${file}`} ${parsed.message}`,
  );
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`cannot read --token-file ${file}: ${error}`, { cause: error });
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}
