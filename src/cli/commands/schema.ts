import { daemonJsonSchema, policyJsonSchema, presetJsonSchema } from '../../config/json-schema.ts';
import type { RunCommand } from '../command.ts';
import { UsageError } from '../io.ts';

const SCHEMAS: ReadonlyMap<string | undefined, () => Record<string, unknown>> = new Map([
  ['policy', policyJsonSchema],
  ['config', daemonJsonSchema],
  ['preset', presetJsonSchema],
]);

export const schema: RunCommand = async ([which], _options, io) => {
  const generate = SCHEMAS.get(which);
  if (generate === undefined)
    throw new UsageError(`schema ${which}: no such schema (${[...SCHEMAS.keys()].join(', ')})`);
  io.out(`${JSON.stringify(generate(), null, 2)}\n`);
  return 0;
};
