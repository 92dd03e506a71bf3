import { loadPolicy } from '../../config/load.ts';
import { loadShippedPresets } from '../../config/presets.ts';
import { parseVpcEndpoint } from '../../config/vpc-endpoint.ts';
import { IpAddress } from '../../policy/address.ts';
import { compilePolicy } from '../../policy/compile.ts';
import { type Explanation, explain } from '../../policy/explain.ts';
import { formatExplanation } from '../../policy/explain-text.ts';
import { type Hostname, parseHostname } from '../../policy/hostname.ts';
import { Policy } from '../../policy/policy.ts';
import { PresetHints } from '../../policy/preset-hint.ts';
import { isIpv6Text, parsePort } from '../../sniff/target.ts';
import { HOSTNAME_FAULTS } from '../../tls-sni/index.ts';
import { AdminClient, expectOk } from '../admin-client.ts';
import { type Options, type RunCommand, textOption } from '../command.ts';
import { type Io, UsageError } from '../io.ts';
import { requireLoaded } from '../require-loaded.ts';
import { readSurroundings } from '../surroundings.ts';

const DEFAULT_PORT = 443;
/** In no group and no rule's `from`, unless one takes every source. */
const ANY_SOURCE = '0.0.0.0';

interface Question {
  /** Null where an address is asked about. */
  readonly hostname: Hostname | null;
  readonly address: IpAddress | null;
  readonly port: number;
  readonly source: IpAddress;
  readonly vpcEndpoint: string | undefined;
}

export const explainCommand: RunCommand = async ([target = ''], options, io) => {
  const question = readQuestion(
    target,
    textOption(options, 'from') ?? ANY_SOURCE,
    textOption(options, 'vpcEndpoint'),
  );
  const file = textOption(options, 'policy');
  const explanation =
    file === undefined ? await askDaemon(question, options, io) : await askFile(question, file, io);
  io.out(options.json === true ? `${JSON.stringify(explanation)}\n` : `${formatExplanation(explanation)}\n`);
  return explanation.action === 'deny' ? 1 : 0;
};

async function askDaemon(
  { hostname, address, port, source, vpcEndpoint }: Question,
  options: Options,
  io: Io,
): Promise<Explanation> {
  const body = { host: hostname ?? address?.toString(), port, from: source.toString(), vpcEndpoint };
  return expectOk<Explanation>(await new AdminClient(options, io).ask('POST', '/api/v1/explain', body));
}

async function askFile(question: Question, file: string, io: Io): Promise<Explanation> {
  const { defaults } = await readSurroundings(io);
  const { policy, presets } = requireLoaded(await loadPolicy(file, Date.now(), defaults), file, io);
  const shipped = await loadShippedPresets();
  const hints = new PresetHints(shipped.ok ? shipped.presets.values() : [], presets);
  const compiled = Policy.from(compilePolicy(policy));
  const explanation = explain(compiled, { ...question, nowMs: Date.now() }, { hints });
  const { address, port } = question;
  const isUnknown = policy.rules.some(
    rule => rule.protocol === 'tcp' && rule.hosts.length > 0 && rule.ports.includes(port),
  );
  if (address !== null && isUnknown && explanation.action !== 'allow')
    io.err('judged by cidrs only: what the hosts of tcp rules resolve to, the running daemon knows\n');
  return explanation;
}

function readQuestion(target: string, from: string, vpcEndpoint: string | undefined): Question {
  const source = IpAddress.parse(from);
  if (source === null) throw new UsageError(`--from ${from}: no IP address`);
  const endpoint = vpcEndpoint === undefined ? null : parseVpcEndpoint(vpcEndpoint);
  if (endpoint?.ok === false) throw new UsageError(`--vpc-endpoint: ${endpoint.message} (${endpoint.fix})`);
  const { host, port } = splitPort(target);
  const address = IpAddress.parse(host);
  if (address !== null) return { hostname: null, address, port, source, vpcEndpoint };
  const parsed = parseHostname(host);
  if (!parsed.ok) throw new UsageError(`${host}: no hostname: ${HOSTNAME_FAULTS[parsed.fault]}`);
  return { hostname: parsed.hostname, address: null, port, source, vpcEndpoint };
}

/** `host`, `host:port`, an IPv6 address, or one in brackets with a port. */
function splitPort(target: string): { host: string; port: number } {
  const bracket = target.startsWith('[') ? target.indexOf(']') : -1;
  const colon = target.indexOf(':', bracket + 1);
  if (colon < 0 || (bracket < 0 && isIpv6Text(target))) {
    return { host: bracket < 0 ? target : target.slice(1, bracket), port: DEFAULT_PORT };
  }
  const port = parsePort(target.slice(colon + 1));
  if (port === null) throw new UsageError(`${target}: no port from 1 to 65535 after the colon`);
  return { host: bracket < 0 ? target.slice(0, colon) : target.slice(1, bracket), port };
}
