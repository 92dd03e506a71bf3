import { fileURLToPath } from 'node:url';
import { labObstacle } from '../support/lab.ts';
import { type LabOptions, parseLabOptions, USAGE } from './options.ts';
import { removeStanding } from './standing.ts';
import { tellLab } from './tell-lab.ts';

// `npm run lab`: the gateway with real clients and servers, in network namespaces of this host.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** As shells report a program that a signal has ended. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const say = (text: string) => process.stdout.write(text);
const complain = (text: string) => process.stderr.write(`lab: ${text}\n`);

// Whatever stands is removed as the process exits.
for (const [signal, code] of Object.entries(SIGNAL_CODES)) process.on(signal, () => process.exit(code));

process.exitCode = await main(parseLabOptions(process.argv.slice(2)));

async function run({ intercepts, keep }: Extract<LabOptions, { what: 'run' }>): Promise<number> {
  try {
    return await tellLab({ intercepts, keep, root: ROOT }, say);
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function main(options: LabOptions): Promise<number> {
  switch (options.what) {
    case 'wrong':
      complain(`${options.problem} (see npm run lab -- --help)`);
      return 2;
    case 'help':
      say(USAGE);
      return 0;
    case 'remove':
    case 'run': {
      const obstacle = labObstacle();
      if (obstacle !== null) {
        complain(obstacle);
        return 2;
      }
      return options.what === 'remove' ? removeStanding(say) : run(options);
    }
  }
}
