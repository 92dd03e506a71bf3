import { z } from 'zod';
import { countText } from './query.ts';

/** The parameters of `GET /api/v1/readiness`. */
export const readinessParams = z.strictObject({
  minDays: countText(0).exactOptional(),
  quietHours: countText(0).exactOptional(),
  maxDrops: countText(0).exactOptional(),
  calendar: z.enum(['none', 'weekend', 'month-end']).exactOptional(),
});
