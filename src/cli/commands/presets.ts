import { formatDiagnostic } from '../../config/diagnostics.ts';
import { loadShippedPresets } from '../../config/presets.ts';
import { didYouMean } from '../../config/suggest.ts';
import type { VarValues } from '../../policy/host-template.ts';
import { expandPreset, type Preset, presetVars } from '../../policy/presets.ts';
import { listOption, type Options, type RunCommand, textOption } from '../command.ts';
import { CommandFailure, type Io, UsageError } from '../io.ts';
import { loadNamedPolicy } from '../policy-of.ts';
import { readSurroundings } from '../surroundings.ts';

export const presets: RunCommand = async ([name], options, io) => {
  const { catalogue, vars } = await gather(options, io);
  if (name === undefined) {
    io.out(options.json === true ? `${JSON.stringify(catalogue)}\n` : formatList(catalogue));
    return 0;
  }
  const preset = catalogue.find(candidate => candidate.name === name);
  if (preset === undefined) {
    const names = catalogue.map(known => known.name);
    throw new UsageError(`presets ${name}: no such preset (${didYouMean(name, names)})`);
  }
  const expansion = expandPreset(preset, vars);
  if (options.json === true) {
    const hosts = expansion.ok ? expansion.hosts : null;
    io.out(`${JSON.stringify({ ...preset, templates: preset.hosts, vars: presetVars(preset), hosts })}\n`);
    return 0;
  }
  io.out(formatPreset(preset, expansion.ok ? expansion.hosts : preset.hosts));
  if (!expansion.ok) {
    const { missing } = expansion;
    const assignments = missing.map(variable => `${variable}=…`).join(' ');
    io.err(`sallyport: no value for ${missing.join(' and ')}: these are templates (--var ${assignments})\n`);
  }
  return 0;
};

/** The presets there are, by name, and what their variables stand for. */
async function gather(options: Options, io: Io): Promise<{ catalogue: Preset[]; vars: VarValues }> {
  const shipped = await loadShippedPresets();
  if (!shipped.ok) throw new CommandFailure(shipped.diagnostics.map(formatDiagnostic).join('\n'));
  const policy = textOption(options, 'policy') === undefined ? null : await loadNamedPolicy(options, io);
  const vars = new Map(policy?.presets.vars);
  for (const [name, value] of Object.entries((await readSurroundings(io)).defaults))
    if (!vars.has(name)) vars.set(name, [value]);
  for (const assignment of listOption(options, 'var')) {
    const [, name, values] = /^([A-Za-z][\w-]*)=([A-Za-z0-9._,-]+)$/.exec(assignment) ?? [];
    if (name === undefined || values === undefined) {
      throw new UsageError(`--var ${assignment}: write NAME=VALUE, and the preset before it`);
    }
    vars.set(
      name,
      values.split(',').filter(value => value !== ''),
    );
  }
  const all = [...shipped.presets.values(), ...(policy?.presets.own ?? [])];
  return { catalogue: all.sort((a, b) => (a.name < b.name ? -1 : 1)), vars };
}

function formatList(catalogue: readonly Preset[]): string {
  const width = Math.max(...catalogue.map(({ name }) => name.length));
  const heading = `${'PRESET'.padEnd(width)}  CHECKED     WHAT FOR\n`;
  return (
    heading +
    catalogue.map(({ name, checked, title }) => `${name.padEnd(width)}  ${checked}  ${title}\n`).join('')
  );
}

function formatPreset(
  { name, title, checked, sources, note, ports, allowPrivate }: Preset,
  hosts: readonly string[],
): string {
  const lines = [
    `${name}: ${title}`,
    `  checked ${checked} against ${sources.join(', ')}`,
    `  ports ${ports.join(', ')}${allowPrivate ? ', private addresses allowed' : ''}`,
    ...(note === '' ? [] : [`  ${note}`]),
    ...hosts.map(host => `    ${host}`),
  ];
  return `${lines.join('\n')}\n`;
}
