import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatDiagnostic } from '../../../src/config/diagnostics.ts';
import { parsePolicyText } from '../../../src/config/load.ts';
import { loadShippedPresets } from '../../../src/config/presets.ts';
import { IpAddress } from '../../../src/policy/address.ts';
import { compilePolicy } from '../../../src/policy/compile.ts';
import { parseHostname } from '../../../src/policy/hostname.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { seen } from '../../flow-log/support.ts';
import { suggestFor } from '../../support/suggest-for.ts';
import { names } from '../inputs/names.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const NOW = Date.UTC(2026, 10, 21);
const host = fc.oneof(
  { weight: 2, arbitrary: names.map(name => name.toLowerCase()) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('a', 'b', 'c', 'app-artifacts', '123456789012', 'kms', 'registry-1', 'x.y'),
        fc.constantFrom(
          ...[
            'example',
            'example.com',
            'co.uk',
            'github.io',
            'docker.io',
            'amazonaws.com',
            'us-east-1.amazonaws.com',
          ],
          ...['s3.us-east-1.amazonaws.com', 's3-website-us-east-1.amazonaws.com', 's3.amazonaws.com'],
          ...['dkr.ecr.us-east-1.amazonaws.com', 'gcr.io', 'data.mcr.microsoft.com', 'internal'],
        ),
      )
      .map(parts => parts.join('.')),
  },
);
const flow = fc.record({
  hostname: host.filter(name => parseHostname(name).ok),
  port: fc.constantFrom(443, 443, 443, 80, 8443),
  source: fc.constantFrom('10.12.4.1', '10.12.5.1', '2001:db8::1'),
  destination: fc.constantFrom('54.1.1.1', '10.0.0.9', null),
});
const inputs = fc.record({
  flows: fc.array(flow, { minLength: 1, maxLength: 25 }),
  exact: fc.boolean(),
  bySource: fc.boolean(),
  minSiblings: fc.constantFrom(2, 3, 4),
});

/** What is suggested for flows that were seen, and loaded again. */
export const suggest: Target = {
  name: 'suggest',
  summary: 'flows that were seen, to a suggested policy and back: it loads, and allows every one of them',
  shortRuns: 30,
  open: async () => {
    const shipped = await loadShippedPresets();
    if (!shipped.ok) throw new Error(shipped.diagnostics.map(formatDiagnostic).join('\n'));
    const { presets } = shipped;
    const covers = property('a suggested policy loads and allows what was seen', inputs, async input => {
      const flows = input.flows.map(fields => seen({ ...fields, state: 'NO_MATCH' }));
      const { yaml } = suggestFor(flows, { ...input, presets });
      const load = await parsePolicyText('policy.yaml', yaml, NOW);
      if (!load.ok) throw new Error(`${load.diagnostics.map(formatDiagnostic).join('\n')}\n${yaml}`);
      const policy = Policy.from(compilePolicy(load.policy));
      for (const { hostname, port, source } of input.flows) {
        const [name, address] = [parseHostname(hostname), IpAddress.parse(source)];
        assert.ok(name.ok && address !== null);
        const { state } = policy.decide({ hostname: name.hostname, port, source: address, nowMs: NOW });
        assert.equal(state, 'MATCHED', `${hostname}:${port} from ${source}`);
      }
      return undefined;
    });
    return { properties: [covers], missing: [] };
  },
};
