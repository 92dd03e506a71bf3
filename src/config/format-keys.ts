import { z } from 'zod';

/** What every file of ours begins with. */
export const formatKeys = {
  $schema: z.string().optional().describe('For editors; ignored.'),
  version: z
    .literal(1)
    .meta({ title: '1, the only version of this format' })
    .describe('The version of this format.'),
};
