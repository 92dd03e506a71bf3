import type { Diagnostic, DocumentPath } from './diagnostics.ts';
import type { PolicyFile } from './policy-file.ts';

/** What is wrong with the files of a policy, in the order in which it was found. */
export class Findings {
  readonly errors: Diagnostic[] = [];
  readonly warnings: Diagnostic[] = [];

  error(file: PolicyFile, path: DocumentPath, message: string, fix: string): void {
    this.errors.push(file.diagnose('error', { path, message, fix }));
  }

  warn(file: PolicyFile, path: DocumentPath, message: string, fix: string): void {
    this.warnings.push(file.diagnose('warning', { path, message, fix }));
  }
}
