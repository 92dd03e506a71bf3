import type { Row } from '../row.ts';

const QUIET = { decisions: [] } as const;

export const loadedRow: Row = {
  tried: 'sallyport netfilter --check on the gateway',
  act: async ({ daemon }) => {
    const { code, stdout } = await daemon.command('netfilter', '-c', daemon.configPath, '--check');
    const amiss = stdout.split('\n').filter(line => line !== '' && !line.startsWith('ok '));
    return code === 0 && amiss.length === 0
      ? `${stdout.split('\n').length - 1} checks, all ok`
      : amiss.join('; ');
  },
  happens: /^\d+ checks, all ok$/,
  ...QUIET,
};

export const strictRow: Row = {
  tried: 'the ruleset with --strict replaces the other in one step',
  act: town => town.loadRuleset('--strict').then(() => 'loaded'),
  happens: 'loaded',
  ...QUIET,
};

export const plainRow: Row = {
  tried: 'the ruleset of the configuration replaces it',
  act: town => town.loadRuleset().then(() => 'loaded'),
  happens: 'loaded',
  ...QUIET,
};

export const nothingPastRow: Row = {
  tried: 'what the kernel outside has counted of all this',
  act: async ({ outside }) => {
    const { attacker, past } = outside.seen;
    return `${past} packets of clients past the gateway, ${attacker} to the attacker`;
  },
  happens: '0 packets of clients past the gateway, 0 to the attacker',
  ...QUIET,
};

export const removedRow: Row = {
  tried: 'forwarding is turned off, then sallyport netfilter --remove',
  act: async town => {
    town.setForwarding(0);
    await town.loadRuleset('--remove');
    const left = town.residue();
    return left.length === 0 ? 'no table, rule or route is left' : `left: ${left.join('; ')}`;
  },
  happens: 'no table, rule or route is left',
  ...QUIET,
};
