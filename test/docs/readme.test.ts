import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { REASONS } from '../../src/policy/reason.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

describe('the README', () => {
  it('lists every reason as the code words it', () => {
    for (const [reason, meaning] of Object.entries(REASONS)) {
      expect(readme).toContain(`| \`${reason}\` | ${meaning} |`);
    }
  });

  it('lists every command with its arguments', () => {
    for (const { name, args, summary } of COMMANDS) {
      const usage = [name, args].filter(part => part !== undefined).join(' ');
      expect(readme).toContain(`| \`${usage.replaceAll('|', '\\|')}\` | ${summary} |`);
    }
  });
});
