import { s3EndpointPolicy } from '../../policy/s3-endpoint-policy.ts';
import type { RunCommand } from '../command.ts';
import { CommandFailure, UsageError } from '../io.ts';
import { loadNamedPolicy } from '../policy-of.ts';

/** What AWS takes at most, in characters without white space. */
const MAX_CHARACTERS = 20_480;

export const endpointPolicy: RunCommand = async (_args, options, io) => {
  const { policy, presets } = await loadNamedPolicy(options, io);
  const layerRegions = options.keepEcr === true ? (presets.vars.get('region') ?? []) : [];
  if (options.keepEcr === true && layerRegions.length === 0)
    throw new UsageError('--keep-ecr: of which region? (say vars: { region: us-east-1 }, or set AWS_REGION)');
  const { document, notes } = s3EndpointPolicy(policy.rules, { nowMs: Date.now(), layerRegions });
  for (const note of notes) io.err(`sallyport: ${note}\n`);
  if (!document.Statement.some(({ Effect }) => Effect === 'Allow'))
    throw new CommandFailure('no rule opens a bucket that an endpoint policy could name');
  if (document.Statement.some(({ Resource }) => Resource.some(arn => arn.includes(':accesspoint/'))))
    io.err('sallyport: behind an access point, its bucket must be open as well: list it in buckets\n');
  io.out(`${JSON.stringify(document, null, 2)}\n`);
  const characters = JSON.stringify(document).length;
  if (characters > MAX_CHARACTERS)
    throw new CommandFailure(`the policy has ${characters} characters, and AWS takes ${MAX_CHARACTERS}`);
  return 0;
};
