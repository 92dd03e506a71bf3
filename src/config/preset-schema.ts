import { z } from 'zod';
import { formatKeys } from './format-keys.ts';
import { parseDate, type ScalarResult, scalar } from './scalars.ts';

const text = (title: string, example: string) =>
  z
    .string()
    .min(1)
    .meta({ title, examples: [example] });

/** A file of `presets/`: the structure; the hosts are checked where a rule uses them. */
export const presetSchema = z
  .strictObject({
    ...formatKeys,
    title: text('a title', 'Docker Hub').describe('What the preset is for, in a few words.'),
    checked: scalar('a day', ['2026-11-21'], parseDay).describe(
      'The day on which the hosts were last held against their sources.',
    ),
    sources: z
      .array(text('a source', 'https://docs.docker.com/desktop/setup/allow-list/'))
      .min(1)
      .meta({ examples: [['https://docs.docker.com/desktop/setup/allow-list/']] })
      .describe('Where the list comes from.'),
    note: z.string().default('').describe('What to know before using it.'),
    hosts: z
      .array(text('a host pattern', 'api.example.com'))
      .min(1)
      .meta({ examples: [['api.example.com']] })
      .describe(
        'Hostnames and patterns as in a rule. `{name}` stands for a variable of the policy, `{dns-suffix}` and `{dualstack-suffix}` for what the partition of `{region}` says.',
      ),
    ports: z
      .array(
        z
          .int()
          .min(1)
          .max(65535)
          .meta({ title: 'a port', examples: [443] }),
      )
      .min(1)
      .meta({ examples: [[443]] })
      .default([443])
      .describe('Destination ports.'),
    allowPrivate: z
      .boolean()
      .default(false)
      .describe('The hosts resolve to private addresses where interface endpoints are used.'),
  })
  .describe('sallyport preset: hosts that belong together, for `presets` of a rule.');

function parseDay(value: string): ScalarResult<string> {
  const parsed = parseDate(value, 'start');
  if (!parsed.ok) return parsed;
  if (value.length === 10) return { ok: true, value };
  return { ok: false, message: 'a day has no time', fix: `write ${value.slice(0, 10)}` };
}
