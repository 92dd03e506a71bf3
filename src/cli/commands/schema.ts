import { daemonJsonSchema, policyJsonSchema } from '../../config/json-schema.ts';
import type { RunCommand } from '../command.ts';
import { UsageError } from '../io.ts';

export const schema: RunCommand = async ([which], _options, io) => {
  if (which !== 'policy' && which !== 'config')
    throw new UsageError(`schema ${which}: no such schema (policy or config)`);
  const document = which === 'policy' ? policyJsonSchema() : daemonJsonSchema();
  io.out(`${JSON.stringify(document, null, 2)}\n`);
  return 0;
};
