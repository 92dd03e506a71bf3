// argv: gateway, port, client, endpoint, host, certificate. Plays an AWS Network Load Balancer behind which `client` came
// through the VPC endpoint: says so by PROXY protocol version 2, then asks for the host as the client would. Writes what
// came of it.
import { readFileSync } from 'node:fs';
import { connect, isIPv6 } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [gateway, port, client, endpoint, host, certificate] = process.argv.slice(2);

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const [PROXIED, TCP4, TCP6, PP2_TYPE_AWS, VPC_ENDPOINT_ID] = [0x21, 0x11, 0x21, 0xea, 0x01];

/** The protocol's section 2.2, and the TLV that AWS documents. */
function header() {
  const bytes = [addressBytes(client), addressBytes(gateway)];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(40_000, 0);
  ports.writeUInt16BE(Number(port), 2);
  const value = Buffer.concat([Buffer.from([VPC_ENDPOINT_ID]), Buffer.from(endpoint)]);
  const tlv = Buffer.concat([Buffer.from([PP2_TYPE_AWS, 0, value.length]), value]);
  const body = Buffer.concat([...bytes, ports, tlv]);
  const family = isIPv6(client) ? TCP6 : TCP4;
  return Buffer.concat([SIGNATURE, Buffer.from([PROXIED, family, 0, body.length]), body]);
}

function addressBytes(address) {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = [], tail = []] = address.split('::').map(part => part.split(':').filter(Boolean));
  const groups = [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.from(groups.map(group => group.padStart(4, '0')).join(''), 'hex');
}

const socket = connect(Number(port), gateway);
socket.on('error', error => process.stdout.write(error.code));
socket.write(
  Buffer.concat([header(), Buffer.from(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`)]),
);
socket.once('data', answer => {
  const [status] = String(answer).split('\r\n');
  if (!status.includes(' 200 ')) {
    process.stdout.write(status);
    return socket.destroy();
  }
  const tls = connectTls({ socket, servername: host, ca: readFileSync(certificate) });
  tls.on('error', error => process.stdout.write(error.message));
  tls.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  tls.setEncoding('utf8');
  let text = '';
  tls.on('data', chunk => {
    text += chunk;
  });
  tls.on('end', () => process.stdout.write(text.split('\r\n\r\n')[1] ?? text));
});
