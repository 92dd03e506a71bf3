import type { Position } from '../policy/rules.ts';
import type { DocumentPath } from './diagnostics.ts';
import type { Findings } from './findings.ts';
import type { PolicyFile } from './policy-file.ts';
import type { PolicyVars } from './policy-vars.ts';

/** One entry of a rule's `hosts`, as the file has it. */
export interface WrittenHost {
  readonly index: number;
  readonly at: DocumentPath;
  readonly position: Position;
  /** What it stands for, its variables expanded. */
  readonly texts: readonly string[];
}

/** The `hosts` of the rule at `path`; those whose variables are at fault are reported and left out. */
export function* writtenHosts(
  file: PolicyFile,
  path: DocumentPath,
  hosts: readonly string[],
  { vars, findings }: { readonly vars: PolicyVars; readonly findings: Findings },
): Generator<WrittenHost> {
  const places = file.source.rules[Number(path.at(-1))];
  for (const [index, text] of hosts.entries()) {
    const at = [...path, 'hosts', index];
    const expansion = vars.expand(text);
    if (!expansion.ok) {
      findings.error(file, at, expansion.message, expansion.fix);
      continue;
    }
    const position = file.source.lines.position(places?.hosts[index] ?? places?.offset ?? 0);
    yield { index, at, position, texts: expansion.texts };
  }
}
