/** Whether an error is of the file system or of zlib, and not of this program. */
export function isLogFault(error: unknown): error is Error & { readonly code: unknown } {
  return error instanceof Error && 'code' in error;
}

/** Why a log cannot be read, in words. */
export function describeLogFault(error: unknown): string {
  switch (isLogFault(error) ? error.code : '') {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'does not exist';
    case 'EACCES':
    case 'EPERM':
      return 'cannot be read: permission denied';
    case 'Z_BUF_ERROR':
      return 'ends inside its gzip data';
    case 'Z_DATA_ERROR':
      return 'holds broken gzip data';
    default:
      return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
