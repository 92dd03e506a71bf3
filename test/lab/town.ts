import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from '../support/certificate.ts';
import { Namespaces } from '../support/namespaces.ts';
import { postgresPrograms } from '../support/postgres.ts';
import { SshFiles, sshObstacle } from '../support/ssh.ts';
import { until } from '../support/until.ts';
import { at, FAMILIES, type Family, ROOMS, type Room, V4, ZONE } from './addresses.ts';
import { Client } from './client.ts';
import { labDirectory, makeDirectory, markKept, removeFiles, setResolver } from './directory.ts';
import { type Intercept, labConfig, labPolicy, unitCapabilities } from './gateway-config.ts';
import { LabDaemon } from './lab-daemon.ts';
import { balancerObstacle, startBalancer } from './load-balancer.ts';
import { OutsideWatch } from './outside-watch.ts';
import { startPostgres } from './postgres.ts';
import { Program } from './program.ts';

export interface TownOptions {
  readonly intercept: Intercept;
  /** A checkout that was built. */
  readonly root: string;
}

/** Whom the daemon runs as: nobody on any host. */
export const OWN_UID = 64_642;
export const ID_PREFIX = 'sallyport-lab-';

/**
 * Two networks of clients, a load balancer and the outside around a gateway, in network namespaces, IPv4 and IPv6; on
 * the gateway the real daemon and the real ruleset. Needs root.
 */
export class Town {
  readonly id: string;
  readonly intercept: Intercept;
  readonly rooms: Namespaces<Room>;
  readonly directory: string;
  readonly daemon: LabDaemon;
  readonly outside: OutsideWatch;
  /** Clients of the two networks, and a user of the gateway itself. */
  readonly build: Client;
  readonly legacy: Client;
  readonly gateway: Client;
  /** Clients of the load balancer's own network, and that load balancer itself. */
  readonly tenant: Client;
  /** What the gateway's kernel had before any ruleset. */
  #bare = '';
  readonly #ssh: SshFiles | null;
  readonly #certificate: Certificate;
  readonly #root: string;
  readonly #programs: Program[] = [];
  readonly #removeAtExit = () => this.#remove();

  private constructor(id: string, { intercept, root }: TownOptions) {
    this.id = id;
    this.intercept = intercept;
    this.#root = root;
    this.rooms = new Namespaces(id, ROOMS);
    this.directory = makeDirectory(labDirectory(id));
    this.#certificate = makeCertificate(Object.keys(ZONE));
    const certificatePath = join(this.directory, 'cert.pem');
    writeFileSync(certificatePath, this.#certificate.cert);
    this.#ssh =
      sshObstacle() === null
        ? new SshFiles(
            this.directory,
            FAMILIES.map(({ git }) => at(git, 22)),
          )
        : null;
    const client = (room: Room) =>
      new Client({ rooms: this.rooms, room, certificatePath, ssh: this.#ssh, agents: this.#agents });
    this.build = client('build');
    this.legacy = client('legacy');
    this.gateway = client('gateway');
    this.tenant = client('balancer');
    this.outside = new OutsideWatch(this.rooms);
    this.daemon = new LabDaemon({
      rooms: this.rooms,
      main: join(root, 'dist/main.js'),
      directory: this.directory,
      uid: OWN_UID,
      capabilities: unitCapabilities(join(root, 'config/deploy/gateway'), intercept),
      config: labConfig(intercept, OWN_UID),
      policy: labPolicy(),
    });
    process.once('exit', this.#removeAtExit);
  }

  /** Builds one; what was built is removed when it fails. */
  static async build(options: TownOptions): Promise<Town> {
    const id = `${ID_PREFIX}${process.pid}-${randomBytes(3).toString('hex')}`;
    let town: Town | null = null;
    try {
      town = new Town(id, options);
      await town.#build();
      return town;
    } catch (error) {
      town?.close();
      removeLab(id);
      throw error;
    }
  }

  /** Loads what `sallyport netfilter` prints, with these options, on the gateway. Throws when it fails or complains. */
  async loadRuleset(...options: readonly string[]): Promise<void> {
    const format = this.intercept === 'tproxy' ? ['--format', 'script'] : [];
    const { code, stdout, stderr } = await this.daemon.command(
      'netfilter',
      '-c',
      this.daemon.configPath,
      ...format,
      ...options,
    );
    if (code !== 0) throw new Error(stderr);
    const file = join(this.directory, 'ruleset');
    writeFileSync(file, stdout);
    const loader = this.intercept === 'tproxy' ? ['sh', file] : ['nft', '-f', file];
    const loaded = await this.rooms.run('gateway', 'env', loader);
    if (loaded.code !== 0 || loaded.stderr !== '') throw new Error(`${loader.join(' ')}: ${loaded.stderr}`);
  }

  setForwarding(value: 0 | 1): void {
    this.rooms.setKernel('gateway', 'ipv4/ip_forward', value);
    this.rooms.setKernel('gateway', 'ipv6/conf/all/forwarding', value);
  }

  /** Everything on the gateway that a ruleset or its policy routing could leave behind, and was not there before it. */
  residue(): string[] {
    const before = this.#bare.split('\n');
    return this.#netfilterState()
      .split('\n')
      .filter(line => !before.includes(line));
  }

  /** Starts the daemon, and waits until it knows the addresses of its tcp rules. */
  async startDaemon(): Promise<void> {
    await this.daemon.start();
    for (const { git, database } of FAMILIES) {
      await until('git.example is known', () => this.daemon.allows(git, 22));
      await until('db.example is known', () => this.daemon.allows(database, 5432));
    }
  }

  /** Ends every process of the lab, and removes all that it has made. */
  close(): void {
    process.off('exit', this.#removeAtExit);
    this.daemon.leave();
    for (const program of this.#programs) program.leave();
    this.#remove();
  }

  /** Lets it stand without us. */
  leave(): void {
    process.off('exit', this.#removeAtExit);
    markKept(this.id);
    this.daemon.leave();
    for (const program of this.#programs) program.leave();
  }

  get #agents(): string {
    return join(this.#root, 'test/lab/agents');
  }

  async #build(): Promise<void> {
    this.#lay();
    this.outside.start();
    await Promise.all([this.#startOutside(), this.#startSsh(), this.#startPostgres(), this.#startBalancer()]);
    this.#bare = this.#netfilterState();
    await this.startDaemon();
    await this.loadRuleset();
    // As the unit has it: nothing is forwarded before the rules are there.
    this.setForwarding(1);
  }

  #lay(): void {
    const { rooms } = this;
    rooms.create();
    rooms.link('build', 'eth0', 'gateway', 'build0');
    rooms.link('legacy', 'eth0', 'gateway', 'legacy0');
    rooms.link('balancer', 'eth0', 'gateway', 'balancer0');
    rooms.link('outside', 'eth0', 'gateway', 'wan');
    for (const family of FAMILIES) this.#layFamily(family);
    const settings = join(this.#root, 'config/deploy/gateway/sysctl.conf');
    rooms.exec('gateway', 'sysctl', ['-q', '-e', '-p', settings]);
    for (const room of ['build', 'legacy', 'gateway'] as const) setResolver(rooms.name(room), V4.dns);
  }

  #layFamily(family: Family): void {
    const { rooms } = this;
    const single = ['preferred_lft', '0'];
    rooms.assign('build', 'eth0', [family.build]);
    rooms.assign('legacy', 'eth0', [family.legacy]);
    // Deprecated: taken as a source only where it is asked for.
    rooms.assign('legacy', 'eth0', [family.watched], single);
    rooms.assign('balancer', 'eth0', [family.balancer]);
    rooms.assign('balancer', 'eth0', [family.tenant], single);
    rooms.assign('outside', 'eth0', outsideAddresses(family));
    rooms.ip('outside', 'address', 'add', family.metadata, 'dev', 'lo');
    rooms.assign('gateway', 'build0', [family.buildGateway]);
    rooms.assign('gateway', 'legacy0', [family.legacyGateway]);
    rooms.assign('gateway', 'balancer0', [family.balancerGateway]);
    rooms.assign('gateway', 'wan', [family.wan]);
    rooms.ip('gateway', 'route', 'add', family.metadata, 'via', family.site);
    rooms.ip('build', 'route', 'add', 'default', 'via', family.buildGateway);
    rooms.ip('legacy', 'route', 'add', 'default', 'via', family.legacyGateway);
    rooms.ip('balancer', 'route', 'add', 'default', 'via', family.balancerGateway);
    rooms.ip('outside', 'route', 'add', 'default', 'via', family.wan);
  }

  async #startOutside(): Promise<void> {
    const setup = join(this.directory, 'outside.json');
    const udp = FAMILIES.flatMap(({ site }) => [443, 5000].map(port => [site, port]));
    const dns = FAMILIES.map(family => family.dns);
    writeFileSync(setup, JSON.stringify({ ...this.#certificate, zone: ZONE, dns, udp }), { mode: 0o600 });
    const command = [process.execPath, join(this.#agents, 'outside.js'), setup];
    await this.#start('outside', 'outside', command, line => line === 'ready');
  }

  async #startSsh(): Promise<void> {
    if (this.#ssh === null) return;
    let missing = FAMILIES.length;
    await this.#start(
      'sshd',
      'outside',
      this.#ssh.server,
      line => line.startsWith('Server listening') && --missing === 0,
    );
  }

  async #startPostgres(): Promise<void> {
    const bin = postgresPrograms();
    if (bin === null) return;
    this.#programs.push(await startPostgres(this.rooms, bin, this.directory, this.#certificate));
  }

  async #startBalancer(): Promise<void> {
    if (balancerObstacle() !== null) return;
    this.#programs.push(await startBalancer(this.rooms, this.directory));
  }

  async #start(
    name: string,
    room: Room,
    command: readonly string[],
    isReady: (line: string) => boolean,
  ): Promise<void> {
    const options = {
      name,
      directory: this.directory,
      command: [...this.rooms.prefix(room), ...command],
      isReady,
    };
    this.#programs.push(await Program.start(options));
  }

  #netfilterState(): string {
    const listings = [
      'nft list ruleset',
      'ip -4 rule',
      'ip -6 rule',
      'ip -4 route show table all',
      'ip -6 route show table all',
    ];
    return this.rooms.exec('gateway', 'sh', ['-c', listings.join(' && ')]);
  }

  #remove(): void {
    removeLab(this.id);
  }
}

/** Removes a lab by its id, whoever has built it. */
export function removeLab(id: string): void {
  const rooms = new Namespaces(id, ROOMS);
  rooms.remove();
  removeFiles(
    id,
    ROOMS.map(room => rooms.name(room)),
  );
}

function outsideAddresses({ site, mirror, attacker, dns, git, database, warehouse }: Family): string[] {
  return [site, mirror, attacker, dns, git, database, warehouse];
}
