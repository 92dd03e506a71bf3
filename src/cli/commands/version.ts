import { packageVersion } from '../../version.ts';
import type { RunCommand } from '../command.ts';

export const version: RunCommand = async (_args, options, io) => {
  const versions = {
    sallyport: packageVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  io.out(
    options.json === true
      ? `${JSON.stringify(versions)}\n`
      : `sallyport ${versions.sallyport} (node ${versions.node}, ${versions.platform})\n`,
  );
  return 0;
};
