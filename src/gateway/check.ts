/** One thing that was looked at in the running kernel. */
export interface Check {
  readonly name: string;
  /** `fail`: traffic is not intercepted, or not forwarded, as it should be; `warn`: that may be, in some networks. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** Null when there is nothing to mend. */
  readonly fix: string | null;
}
