import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificate } from './certificate.ts';
import { type Lab, V4, V6 } from './lab.ts';

const PROGRAM = fileURLToPath(new URL('./lab-server.js', import.meta.url));

/** What the servers' certificate holds. */
const NAMES = ['allowed.example', 'twice.example', 'denied.example', 'moved.example'] as const;

/** What a server says of the connection that a request came in by. */
export interface ServerAnswer {
  /** Counts connections to all servers. */
  readonly connection: number;
  readonly server: string;
  /** Whom the server sees. */
  readonly peer: string;
  /** The SNI that arrived; null on plain HTTP. */
  readonly servername: string | null;
}

export interface LabServers {
  /** A file with the certificate that clients shall trust. */
  readonly certificatePath: string;
  close(): void;
}

/** Starts the servers of a lab: TLS, plain HTTP and one that speaks first, in both families. They end with the lab. */
export async function startServers(lab: Lab): Promise<LabServers> {
  const certificate = makeCertificate(NAMES);
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-lab-'));
  const certificatePath = join(directory, 'cert.pem');
  writeFileSync(certificatePath, certificate.cert);
  const setup = {
    ...certificate,
    tls: [V4, V6].flatMap(({ site, mirror, attacker }) => [site, mirror, attacker]),
    http: [V4.plain, V6.plain],
    banner: [V4.banner, V6.banner],
  };
  const child = lab.spawn('server', process.execPath, [PROGRAM, JSON.stringify(setup)]);
  const errors: Buffer[] = [];
  child.stderr.on('data', chunk => errors.push(chunk));
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`the servers of the lab have ended: ${Buffer.concat(errors)}`);
    }),
  ]);
  return { certificatePath, close: () => rmSync(directory, { recursive: true, force: true }) };
}
