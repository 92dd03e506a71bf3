import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contestant } from './contestant.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

export interface SallyportOptions {
  readonly dataplane: 'epoll' | 'portable';
  /** In observe mode the name is in no rule, so that every flow is a would-deny. */
  readonly mode: 'observe' | 'enforce';
  readonly opening?: 'hello' | 'connect';
  readonly workers?: number;
  /** Go before the program: flags of Node.js. */
  readonly nodeArgs?: readonly string[];
}

/** sallyport with everything on: records written to a file, metrics, sites. */
export function sallyport({
  dataplane,
  mode,
  opening = 'hello',
  workers = 1,
  nodeArgs = [],
}: SallyportOptions): Contestant {
  return {
    name: `sallyport ${dataplane}, ${mode}`,
    software: 'sallyport',
    files: ['sallyport.yaml', `policy-${mode}.yaml`],
    values: { DATAPLANE: dataplane, POLICY: `policy-${mode}.yaml`, WORKERS: String(workers) },
    binary: process.execPath,
    command: dir => [process.execPath, ...nodeArgs, MAIN, 'run', '-c', join(dir, 'sallyport.yaml')],
    opening,
  };
}

/** sallyport with its own limits and log folding, as it comes. */
export function sallyportAsItComes(dataplane: SallyportOptions['dataplane']): Contestant {
  return {
    ...sallyport({ dataplane, mode: 'enforce' }),
    files: ['sallyport-overload.yaml', 'policy-enforce.yaml'],
    command: dir => [process.execPath, MAIN, 'run', '-c', join(dir, 'sallyport-overload.yaml')],
  };
}

/** sallyport behind nftables REDIRECT. */
export function sallyportGateway(mode: SallyportOptions['mode']): Contestant {
  const proxy = sallyport({ dataplane: 'epoll', mode });
  return {
    ...proxy,
    files: ['sallyport-gateway.yaml', `policy-${mode}.yaml`],
    command: dir => [process.execPath, MAIN, 'run', '-c', join(dir, 'sallyport-gateway.yaml')],
  };
}
