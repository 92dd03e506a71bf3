// argv: address, port. Sends a datagram from a connected socket; writes what came of it, and how soon.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const [address, port] = process.argv.slice(2);
const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
let sentAt = 0;

function end(outcome) {
  process.stdout.write(`${outcome} after ${(performance.now() - sentAt).toFixed(1)} ms`);
  process.exit();
}

socket.on('message', () => end('answer'));
socket.on('error', error => end(error.code));
socket.connect(Number(port), address, () => {
  // Nothing at all is an outcome, too.
  setTimeout(end, 3_000, 'silence');
  sentAt = performance.now();
  socket.send('question');
});
