import { Cidr, IpAddress } from './address.ts';
import { FlowGroups } from './flow-groups.ts';
import { type Hostname, parseHostname } from './hostname.ts';
import { remembered } from './remembered.ts';
import type { RulingMemo } from './ruling-memo.ts';
import type { SeenFlow } from './seen-flow.ts';
import { type Seen, SourceTally } from './source-tally.ts';

/** A place that was visited, and shall be again. */
export interface SeenSite {
  readonly host: Hostname;
  readonly port: number;
  /** Whether a flow went to a private address, or would have. */
  isPrivate: boolean;
  /** Flows that are known to have carried Encrypted Client Hello. */
  echFlows: number;
  /** The blocks that its sources lie in; empty unless they matter. */
  readonly blocks: Set<string>;
  readonly tally: SourceTally;
}

/** Flows that no rule is suggested for. Texts are of the log, as they stand there. */
export interface LeftOut extends Seen {
  readonly hostname: string | null;
  /** Of flows that named no host. */
  readonly destination: string | null;
  readonly port: number;
  readonly reason: string | null;
  readonly rule: string | null;
}

export interface SeenSitesOptions {
  /** Whether flows that a rule or a guard spoke against, or whose name did not resolve, are counted as well. */
  readonly includeDenied: boolean;
  /** What is allowed already, judged at `nowMs`; null for nothing. */
  readonly existing: { readonly memo: RulingMemo; readonly ruleName: (rule: number) => string } | null;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** Whether the destination guard takes an address for private. */
  readonly isPrivate: (address: IpAddress) => boolean;
  /** How long the blocks are that sources are taken together in; null when sources do not matter. */
  readonly sourcePrefix: { readonly v4: number; readonly v6: number } | null;
}

/** Enough for any gateway; a log of made-up names fills no more. */
const MAX_SITES = 200_000;

interface Source {
  readonly text: string;
  readonly block: string | null;
}

/** Gathers the sites of a log, and the flows that make none. */
export class SeenSites {
  /** Flows that something spoke against. */
  readonly denied = new FlowGroups<Omit<LeftOut, keyof Seen>>();
  readonly nameless = new FlowGroups<Omit<LeftOut, keyof Seen>>();
  /** Flows whose name is no hostname. */
  readonly misnamed = new FlowGroups<Omit<LeftOut, keyof Seen>>();
  readonly #options: SeenSitesOptions;
  readonly #sites = new Map<string, SeenSite>();
  readonly #deniedHosts = new Set<string>();
  readonly #hosts = new Map<string, Hostname | null>();
  readonly #sources = new Map<string, Source | null>();
  readonly #private = new Map<string, boolean>();
  #flows = 0;
  #covered = 0;
  #sourceless = 0;
  #noRoom = 0;

  constructor(options: SeenSitesOptions) {
    this.#options = options;
  }

  /** All flows, whatever became of them here. */
  get flows(): number {
    return this.#flows;
  }

  /** Flows that the existing policy allows. */
  get covered(): number {
    return this.#covered;
  }

  /** Flows whose source is no address. */
  get sourceless(): number {
    return this.#sourceless;
  }

  /** Flows to sites that found no room. */
  get noRoom(): number {
    return this.#noRoom;
  }

  /** In the order of hosts and ports. */
  list(): SeenSite[] {
    return [...this.#sites.values()].sort(
      (a, b) => (a.host === b.host ? 0 : a.host < b.host ? -1 : 1) || a.port - b.port,
    );
  }

  /** Hosts that a rule or a guard spoke against. Null: too many to tell. */
  get deniedHosts(): ReadonlySet<string> | null {
    return this.#deniedHosts.size < MAX_SITES ? this.#deniedHosts : null;
  }

  add(flow: SeenFlow): void {
    this.#flows += flow.flows;
    const source = remembered(this.#sources, flow.source, text => this.#readSource(text));
    if (source === null) {
      this.#sourceless += flow.flows;
      return;
    }
    if (flow.hostname === null) return leaveOut(this.nameless, flow, flow.rule);
    const host = remembered(this.#hosts, flow.hostname, readHostname);
    if (host === null) return leaveOut(this.misnamed, flow, flow.rule);
    const isPrivate = this.#isPrivate(flow);
    if (this.#isSettled(flow, isPrivate)) return;
    if (flow.state === 'DENIED' || flow.reason === 'unresolvable') {
      if (!this.#options.includeDenied) {
        if (flow.state === 'DENIED' && this.#deniedHosts.size < MAX_SITES) this.#deniedHosts.add(host);
        return leaveOut(this.denied, flow, flow.rule);
      }
    }
    this.#count(host, flow, source, isPrivate);
  }

  #count(host: Hostname, flow: SeenFlow, { text, block }: Source, isPrivate: boolean): void {
    const key = `${host}:${flow.port}`;
    let site = this.#sites.get(key);
    if (site === undefined) {
      if (this.#sites.size >= MAX_SITES) {
        this.#noRoom += flow.flows;
        return;
      }
      site = {
        host,
        port: flow.port,
        isPrivate: false,
        echFlows: 0,
        blocks: new Set(),
        tally: new SourceTally(),
      };
      this.#sites.set(key, site);
    }
    site.isPrivate ||= isPrivate;
    if (flow.ech || flow.reason === 'ech') site.echFlows += flow.flows;
    if (block !== null) site.blocks.add(block);
    site.tally.add({ flows: flow.flows, source: text, timeMs: flow.timeMs });
  }

  /** Whether the existing policy says all there is to say: it allows the flow, or a rule of it denies it. */
  #isSettled(flow: SeenFlow, isPrivate: boolean): boolean {
    const { existing, nowMs } = this.#options;
    if (existing === null || flow.hostname === null) return false;
    const [host, source] = [existing.memo.host(flow.hostname), existing.memo.source(flow)];
    if (host === null || source === null) return false;
    const ruling = existing.memo.decide(host, flow.port, source, nowMs);
    if (ruling.state === 'DENIED') {
      leaveOut(this.denied, { ...flow, reason: 'rule_denied' }, existing.ruleName(ruling.rule));
      return true;
    }
    if (ruling.state !== 'MATCHED' || (isPrivate && !ruling.allowPrivate)) return false;
    this.#covered += flow.flows;
    return true;
  }

  #isPrivate({ destination, reason }: SeenFlow): boolean {
    // The guard spoke of an address that the log does not name.
    if (destination === null) return reason === 'destination_forbidden';
    return remembered(this.#private, destination, text => {
      const address = IpAddress.parse(text);
      return address !== null && this.#options.isPrivate(address);
    });
  }

  #readSource(text: string): Source | null {
    const address = IpAddress.parse(text);
    if (address === null) return null;
    const prefix = this.#options.sourcePrefix;
    return { text: address.toString(), block: prefix === null ? null : blockOf(address, prefix) };
  }
}

function readHostname(text: string): Hostname | null {
  const parsed = parseHostname(text);
  return parsed.ok ? parsed.hostname : null;
}

function leaveOut(groups: FlowGroups<Omit<LeftOut, keyof Seen>>, flow: SeenFlow, rule: string | null): void {
  const { hostname, port, reason } = flow;
  const destination = hostname === null ? flow.destination : null;
  const key = `${hostname}\n${destination}\n${port}\n${reason}\n${rule}`;
  groups.add(key, flow, () => ({ hostname, destination, port, reason, rule }));
}

/** As `from` takes it. */
function blockOf(address: IpAddress, { v4, v6 }: { readonly v4: number; readonly v6: number }): string {
  const isV4 = address.family === 4;
  const length = isV4 ? v4 : v6;
  const { first } = Cidr.of(address, isV4 ? 96 + length : length);
  return length === (isV4 ? 32 : 128) ? first.toString() : `${first}/${length}`;
}
