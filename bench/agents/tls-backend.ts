import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { TLS_ANSWER, TLS_REQUEST } from '../load/tls-flow.ts';

// A server with a real TLS stack; its arguments are its certificate and key.
const [cert = '', key = ''] = process.argv.slice(2).map(file => readFileSync(file));
const server = createServer({ cert, key, minVersion: 'TLSv1.3', noDelay: true }, socket => {
  let received = 0;
  socket.on('data', chunk => {
    received += chunk.length;
    if (received === TLS_REQUEST.length) socket.write(TLS_ANSWER);
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ port });
});
process.on('disconnect', () => process.exit());
