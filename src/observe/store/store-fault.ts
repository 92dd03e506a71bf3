/** Why the store cannot be used, in words for the log. */
export class StoreFault extends Error {
  /** The file is damaged, or no database at all. */
  readonly isDamage: boolean;

  constructor(message: string, options: { readonly isDamage?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isDamage = options.isDamage ?? false;
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html) that call for words of their own. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const WORDS: Readonly<Record<number, string>> = {
  5: 'another process holds it (give each daemon a file of its own)',
  8: 'it cannot be written (make the file and its directory writable for the user that runs sallyport)',
  10: 'reading or writing the disk failed',
  13: 'the disk is full',
  14: 'it cannot be opened (make the directory writable for the user that runs sallyport)',
  23: 'access is denied',
};

/** Says what an error of SQLite or of the file system means. */
export function storeFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error;
  const code = resultCode(error);
  const isDamage = code === CORRUPT || code === NOT_A_DATABASE;
  const said = error instanceof Error ? error.message : String(error);
  const words = WORDS[code];
  return new StoreFault(words === undefined ? said : `${words}: ${said}`, { isDamage, cause: error });
}

/** The primary result code, from an error of the driver; 0 when it carries none. */
function resultCode(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  if ('rawCode' in error && typeof error.rawCode === 'number') return error.rawCode & 0xff;
  // An error while opening carries its code in the message only.
  return Number(/: (\d+)"?\)?$/.exec(error.message)?.[1] ?? 0) & 0xff;
}
