import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pinned } from '../cores.ts';
import type { Section } from '../report/section.ts';
import type { Stage } from '../stage.ts';

const PROGRAM = fileURLToPath(new URL('../policy.js', import.meta.url));

/** Policies of several sizes, in a process of their own: decisions and the load of a policy want a core each. */
export async function measurePolicies(stage: Stage): Promise<Section> {
  const [command = '', ...args] = [
    ...pinned(stage.options.cores.scaling),
    process.execPath,
    PROGRAM,
    '--json',
    ...(stage.extent.isQuick ? ['--quick'] : []),
  ];
  const child = execFile(command, args, { encoding: 'utf8' });
  let out = '';
  child.stdout?.on('data', text => {
    out += text;
  });
  child.stderr?.on('data', text => stage.progress(String(text).trim()));
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`the measurement of policies ended (${code ?? signal})`);
  return JSON.parse(out) as Section;
}
