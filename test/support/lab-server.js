// The servers of the lab, all on port 443. Plain JavaScript: Node 20 runs it as it is, in a namespace of its own.
// argv: JSON { key, cert, tls: [address], http: [address], banner: [address] }. Writes "ready" once all listen.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';

const { key, cert, tls, http, banner } = JSON.parse(process.argv[2]);
const numbers = new Map();

/** Every connection to any of the servers has a number, so a client can tell whether another has come in between. */
function count(socket) {
  numbers.set(peerOf(socket), numbers.size + 1);
}

/** Names the TCP connection, whether asked of its own socket or of the TLS socket on top. */
function peerOf({ remoteAddress, remotePort, localAddress }) {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** Tells the client who it is talking to and whom the server sees. */
function answer({ socket }, response) {
  const { localAddress: server, remoteAddress: peer, servername = null } = socket;
  const connection = numbers.get(peerOf(socket));
  response.end(`${JSON.stringify({ connection, server, peer, servername })}\n`);
}

function greet(socket) {
  socket.on('error', () => {});
  socket.end(`220 ${socket.localAddress} speaks first\r\n`);
}

const servers = [
  ...tls.map(address => [address, createHttpsServer({ key, cert }, answer)]),
  ...http.map(address => [address, createHttpServer(answer)]),
  ...banner.map(address => [address, createServer(greet)]),
];
await Promise.all(
  servers.map(([address, server]) => once(server.on('connection', count).listen(443, address), 'listening')),
);
process.stdout.write('ready\n');
