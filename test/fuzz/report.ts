import type { Finding, TargetReport } from './run-target.ts';

/** A whole run. */
export interface FuzzReport {
  readonly seed: number;
  /** `v20.20.2`. */
  readonly node: string;
  readonly targets: readonly TargetReport[];
}

/** Tables of what was run, then every finding with the ways to see it again. */
export function toMarkdown({ seed, node, targets }: FuzzReport): string {
  const findings = targets.flatMap(target => target.findings);
  const missing = targets.flatMap(({ target, missing }) => missing.map(what => `- ${target}: ${what}`));
  return [
    `Seed ${seed}, Node ${node}.`,
    '',
    '| target | executions | seconds | executions/s | findings |',
    '|---|---:|---:|---:|---:|',
    ...targets.map(targetRow),
    '',
    '| property | executions | of them with something to say |',
    '|---|---:|---:|',
    ...targets.flatMap(({ target, properties }) =>
      properties.map(
        ({ property, executions, telling }) => `| ${target}: ${property} | ${executions} | ${telling} |`,
      ),
    ),
    '',
    ...(missing.length === 0 ? [] : ['Not held against:', '', ...missing, '']),
    ...(findings.length === 0 ? ['Nothing was found.'] : findings.flatMap(describeFinding)),
    '',
  ].join('\n');
}

/** A row for the regression file; `was` is for whoever understands it to say. */
function regressionRow({ target, property, input }: Finding): string {
  return `{"target":${JSON.stringify(target)},"property":${JSON.stringify(property)},"input":${input},"was":""}`;
}

function targetRow({ target, seconds, properties, findings }: TargetReport): string {
  const executions = properties.reduce((sum, property) => sum + property.executions, 0);
  const rate = Math.round(executions / Math.max(seconds, 0.001));
  return `| ${target} | ${executions} | ${seconds.toFixed(1)} | ${rate} | ${findings.length} |`;
}

function describeFinding(finding: Finding): string[] {
  const { target, property, seed, message } = finding;
  return [
    `### ${target}: it does not hold that ${property}`,
    '',
    ...message.split('\n').map(line => `    ${line}`),
    '',
    `Again: \`npm run fuzz -- ${target} --seed ${seed}\`, or \`--replay\` a file with this row:`,
    '',
    `    ${regressionRow(finding)}`,
    '',
  ];
}
