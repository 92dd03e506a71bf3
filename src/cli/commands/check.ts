import { type Diagnostic, formatDiagnostic } from '../../config/diagnostics.ts';
import { loadAny } from '../../config/load.ts';
import type { PolicyDefaults } from '../../config/policy-defaults.ts';
import type { RunCommand } from '../command.ts';
import { DEFAULT_CONFIG } from '../default-config.ts';
import { readSurroundings } from '../surroundings.ts';

interface Checked {
  readonly file: string;
  readonly kind: 'policy' | 'daemon';
  readonly ok: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

export const check: RunCommand = async (files, options, io) => {
  const { defaults } = await readSurroundings(io);
  const results: Checked[] = [];
  const queue = files.length > 0 ? [...files] : [DEFAULT_CONFIG];
  for (const file of queue) {
    const { checked, policyPath } = await checkFile(file, defaults);
    results.push(checked);
    // Asked for nothing in particular, check what `run` would use.
    if (files.length === 0 && policyPath !== null) queue.push(policyPath);
  }
  if (options.json === true) io.out(`${JSON.stringify(results)}\n`);
  else {
    for (const { file, kind, ok, diagnostics } of results) {
      for (const diagnostic of diagnostics) io.err(`${formatDiagnostic(diagnostic)}\n`);
      io.out(`${file}: ${ok ? `ok (${kind})` : 'not ok'}\n`);
    }
  }
  return results.every(({ ok }) => ok) ? 0 : 1;
};

async function checkFile(
  file: string,
  defaults: PolicyDefaults,
): Promise<{ checked: Checked; policyPath: string | null }> {
  const { kind, load } = await loadAny(file, Date.now(), defaults);
  const diagnostics = load.ok ? load.warnings : load.diagnostics;
  const policyPath = load.ok && 'config' in load ? load.config.policyPath : null;
  return { checked: { file, kind, ok: load.ok, diagnostics }, policyPath };
}
