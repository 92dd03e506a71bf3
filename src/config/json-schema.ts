import { z } from 'zod';
import { daemonSchema } from './daemon-schema.ts';
import { policySchema } from './policy-schema.ts';
import { presetSchema } from './preset-schema.ts';

/** JSON Schema, draft 7, of `policy.yaml`. */
export function policyJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(policySchema, { target: 'draft-7', io: 'input' });
}

/** JSON Schema, draft 7, of `sallyport.yaml`. */
export function daemonJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(daemonSchema, { target: 'draft-7', io: 'input' });
}

/** JSON Schema, draft 7, of a file of `presets.d`. */
export function presetJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(presetSchema, { target: 'draft-7', io: 'input' });
}
