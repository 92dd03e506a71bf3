import { type Diagnostic, type DocumentPath, formatPath, inFileOrder } from './diagnostics.ts';
import { type PolicyInput, policySchema } from './policy-schema.ts';
import type { SourceFile } from './read-file.ts';
import { checkSchema, type ValueFault } from './schema-diagnostics.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

/** One policy file whose structure is right: its values, and diagnostics for what is found in it later. */
export interface PolicyFile {
  readonly file: string;
  readonly input: PolicyInput;
  readonly source: YamlSource;
  diagnose(severity: Diagnostic['severity'], fault: ValueFault): Diagnostic;
}

export type PolicyFileResult =
  | { readonly ok: true; readonly file: PolicyFile }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Parses one policy file and holds it against the schema. */
export function readPolicyFile({ file, text }: SourceFile): PolicyFileResult {
  const yaml = readYaml(text);
  if (!yaml.ok) {
    return {
      ok: false,
      diagnostics: yaml.faults.map(fault => ({ file, path: '', severity: 'error', ...fault })),
    };
  }
  const { source } = yaml;
  const checked = checkSchema(policySchema, source.value);
  const diagnose = (severity: Diagnostic['severity'], fault: ValueFault) =>
    locateFault(file, source, severity, fault);
  if (!checked.ok)
    return { ok: false, diagnostics: inFileOrder(checked.faults.map(fault => diagnose('error', fault))) };
  return { ok: true, file: { file, input: checked.value, source, diagnose } };
}

/** Gives a fault its line and column. */
export function locateFault(
  file: string,
  source: YamlSource,
  severity: Diagnostic['severity'],
  { path, message, fix, atKey }: ValueFault,
): Diagnostic {
  const position = source.locate(path, atKey === true ? 'key' : 'value');
  return { file, ...position, path: formatPath(faultOwner(path, atKey)), message, fix, severity };
}

/** An unknown key is named by the message; the path names the map it stands in. */
function faultOwner(path: DocumentPath, atKey: boolean | undefined): DocumentPath {
  return atKey === true ? path.slice(0, -1) : path;
}
