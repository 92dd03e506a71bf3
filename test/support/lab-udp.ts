import { once } from 'node:events';
import type { Lab, LabRoom } from './lab.ts';

const ECHO = `
const [ports, ...addresses] = process.argv.slice(1);
let missing = 0;
for (const address of addresses) for (const port of ports.split(',')) {
  missing++;
  const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind(Number(port), address, () => { if (--missing === 0) process.stdout.write('ready\\n'); });
}`;

const ASK = `
const [address, port] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
const end = answer => { process.stdout.write(answer); process.exit(); };
socket.on('message', () => end('answer'));
socket.on('error', error => end(error.code));
socket.connect(Number(port), address, () => socket.send('question'));`;

/** Starts UDP servers in the servers' room. They end with the lab. */
export async function startUdpEcho(
  lab: Lab,
  ports: readonly number[],
  addresses: readonly string[],
): Promise<void> {
  const child = lab.spawn('server', process.execPath, ['-e', ECHO, ports.join(','), ...addresses]);
  await once(child.stdout, 'data');
}

/** Sends a datagram, and says what came of it: `answer`, or the code of the error by which ICMP surfaces. */
export async function askUdp(
  lab: Lab,
  room: LabRoom,
  address: string,
  port: number,
  { uid = 0 }: { uid?: number } = {},
): Promise<string> {
  const program = [process.execPath, '-e', ASK, address, String(port)];
  return (await lab.run(room, 'setpriv', asUser(uid, program))).stdout;
}

/** Arguments of setpriv that run a program as somebody else. */
export function asUser(uid: number, program: readonly string[]): string[] {
  return ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', ...program];
}
