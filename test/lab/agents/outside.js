// What is outside: web servers, a DNS server and UDP servers. Plain JavaScript: Node 20 runs it as it is, in a namespace
// of its own. argv: a file with JSON { key, cert, zone: { name: [address] }, dns: [address], udp: [[address, port]] }.
// Writes "ready" once all listen.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { isIPv4, isIPv6 } from 'node:net';

const { key, cert, zone, dns, udp } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const TYPES = { 1: isIPv4, 28: isIPv6 };
const [RESPONSE, NXDOMAIN] = [0x8180, 0x8183];

/** Tells clients who it is that they talk to, and whom it sees. */
function answer({ socket, headers }, response) {
  const { localAddress, remoteAddress, servername = null } = socket;
  const said = { server: plain(localAddress), peer: plain(remoteAddress), servername, host: headers.host };
  response.end(`${JSON.stringify(said)}\n`);
}

function plain(address) {
  return address.replace(/^::ffff:/, '');
}

/** Answers one question about A or AAAA records (RFC 1035 section 4). */
function answerDns(query) {
  const labels = [];
  let end = 12;
  for (; query[end] > 0; end += 1 + query[end])
    labels.push(query.toString('latin1', end + 1, end + 1 + query[end]));
  const addresses = zone[labels.join('.').toLowerCase()];
  const isWanted = TYPES[query.readUInt16BE(end + 1)] ?? (() => false);
  const records = (addresses ?? []).filter(isWanted).map(addressBytes);
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(addresses === undefined ? NXDOMAIN : RESPONSE, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map(bytes => {
    const type = bytes.length === 4 ? 1 : 28;
    return Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes]);
  });
  return Buffer.concat([header, query.subarray(12, end + 5), ...answers]);
}

function addressBytes(address) {
  if (isIPv4(address)) return address.split('.').map(Number);
  const [head = [], tail = []] = address.split('::').map(part =>
    part
      .split(':')
      .filter(Boolean)
      .map(group => Number.parseInt(group, 16)),
  );
  const groups = [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
  return groups.flatMap(group => [group >> 8, group & 255]);
}

/** `reply`: what becomes of a datagram. */
async function serveUdp(address, port, reply) {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => socket.send(reply(message), from.port, from.address));
  socket.bind(port, address);
  await once(socket, 'listening');
}

const listening = (server, port) => once(server.listen(port, '::'), 'listening');

await Promise.all([
  listening(createHttpsServer({ key, cert }, answer), 443),
  ...[80, 8080].map(port => listening(createHttpServer(answer), port)),
  ...dns.map(address => serveUdp(address, 53, answerDns)),
  ...udp.map(([address, port]) => serveUdp(address, port, message => message)),
]);
process.stdout.write('ready\n');
