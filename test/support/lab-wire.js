// One end of raw TCP connections in a room of the lab, driven by JSON lines. Plain JavaScript: Node 20 runs it as it is.
// argv: `listen ADDRESS PORT`, or `dial`. Orders: {"dial":[address,port],"tag"}, {"id","send":hex}, {"id","finish":true}.
// Says: {"ready":true}, {"id","port","tag"} for each connection, {"id","hex"} for bytes, {"id","end":"fin"|"reset"}, {"id","sent":true}.
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [role, address, port] = process.argv.slice(2);
const sockets = [];

function say(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function follow(socket, clientPort, tag) {
  const id = sockets.push(socket) - 1;
  let isOver = false;
  const over = end => {
    if (!isOver) say({ id, end });
    isOver = true;
  };
  say({ id, port: clientPort, tag });
  socket.setNoDelay();
  socket.on('data', chunk => say({ id, hex: chunk.toString('hex') }));
  socket.on('end', () => over('fin'));
  socket.on('error', () => over('reset'));
  socket.on('close', hadError => over(hadError ? 'reset' : 'fin'));
}

function obey({ dial, tag, id, send, finish }) {
  if (dial !== undefined) {
    const socket = connect({ host: dial[0], port: dial[1], allowHalfOpen: true });
    socket.on('connect', () => follow(socket, socket.localPort, tag));
  } else if (send !== undefined) sockets[id].write(Buffer.from(send, 'hex'), () => say({ id, sent: true }));
  else if (finish) sockets[id].end();
}

createInterface(process.stdin).on('line', line => obey(JSON.parse(line)));
if (role === 'listen') {
  const server = createServer({ allowHalfOpen: true }, socket => follow(socket, socket.remotePort));
  server.listen(Number(port), address, () => say({ ready: true }));
} else say({ ready: true });
