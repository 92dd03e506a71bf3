import { z } from 'zod';

/** A port that can be dialled or listened at. */
export const port = z
  .int()
  .min(1)
  .max(65535)
  .meta({ title: 'a port', examples: [443] });
