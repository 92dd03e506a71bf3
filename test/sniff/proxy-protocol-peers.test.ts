import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { beforeAll, expect, it } from 'vitest';
import { type ProxyHeader, parseProxyProtocol } from '../../src/sniff/proxy-protocol.ts';
import { proxyProtocolHeader } from '../../src/sniff/proxy-protocol-header.ts';
import { describeWith, NGINX_STREAM } from '../support/programs.ts';
import { startHaproxy, startNginx } from '../support/proxy-protocol-programs.ts';
import { until } from '../support/until.ts';

const PAYLOAD = 'what the client says';
const CLAIMED = {
  source: { ip: '192.0.2.7', port: 40_312 },
  destination: { ip: '198.51.100.10', port: 443 },
};
const CLAIMED_V6 = {
  source: { ip: '2001:db8::7', port: 40_312 },
  destination: { ip: '2001:db8:2::10', port: 443 },
};

function portOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP server');
  return address;
}

/** Notes the bytes of each connection up to and with the payload, or up to its end. */
class Recorder {
  readonly streams: Buffer[] = [];
  readonly #server = createServer(socket => this.#record(socket));

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return portOf(this.#server).port;
  }

  close(): void {
    this.#server.close();
  }

  /** What arrived by the latest connection that brought the payload. */
  latest(): Buffer {
    const stream = this.streams.findLast(bringsPayload);
    if (stream === undefined) throw new Error('the payload has not arrived');
    return stream;
  }

  #record(socket: Socket): void {
    let stream = Buffer.alloc(0);
    let isWhole = false;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      stream = Buffer.concat([stream, chunk]);
      isWhole = bringsPayload(stream);
      if (isWhole) {
        this.streams.push(stream);
        socket.end();
      }
    });
    socket.on('close', () => {
      if (!isWhole) this.streams.push(stream);
    });
  }
}

function bringsPayload(stream: Buffer): boolean {
  return stream.toString('latin1').endsWith(PAYLOAD);
}

/** Connects, writes, reads to the end; gives back what was read and the port it came from. */
async function converse(port: number, host: string, data: Uint8Array | string) {
  const socket = connect(port, host);
  await once(socket, 'connect');
  const { localPort = 0 } = socket;
  const read: Buffer[] = [];
  socket.on('data', chunk => read.push(chunk));
  socket.write(data);
  await once(socket, 'close');
  return { localPort, read: Buffer.concat(read).toString('latin1') };
}

/** The header in front of the payload, at every split of the bytes. */
function headerOf(stream: Buffer): ProxyHeader {
  for (let cut = 0; cut < stream.length - PAYLOAD.length; cut++) {
    expect(parseProxyProtocol(stream.subarray(0, cut)).kind).toBe('need-more');
  }
  const result = parseProxyProtocol(stream);
  if (result.kind !== 'done') throw new Error(`${JSON.stringify(result)} for ${stream.toString('hex')}`);
  expect(stream.subarray(result.consumed).toString('latin1')).toBe(PAYLOAD);
  return result;
}

describeWith('haproxy', 'HAProxy', scope => {
  const recorder = new Recorder();
  let ports = { v1: 0, v2: 0, options: 0, accept: 0 };

  beforeAll(async () => {
    const target = await recorder.listen();
    scope.defer(() => recorder.close());
    ports = await startHaproxy(scope, target, {
      v1: 'send-proxy',
      v2: 'send-proxy-v2',
      options: 'send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 200ms',
    });
  });

  const sent = async (port: number, host: string) => {
    const { localPort } = await converse(port, host, PAYLOAD);
    const addresses = { source: { ip: host, port: localPort }, destination: { ip: host, port } };
    return { header: headerOf(recorder.latest()), addresses };
  };

  it.each([
    ['send-proxy', 'v1', 1],
    ['send-proxy-v2', 'v2', 2],
  ] as const)('%s is read, in both families', async (_, key, version) => {
    for (const host of ['127.0.0.1', '::1']) {
      const { header, addresses } = await sent(ports[key], host);
      expect(header).toMatchObject({ version, addresses });
    }
  });

  it('is believed in its checksum, and its unique id is a TLV', async () => {
    const { header, addresses } = await sent(ports.options, '127.0.0.1');
    expect(header.addresses).toEqual(addresses);
    expect(header.tlvs.map(({ type }) => type).sort()).toEqual([3, 5]);
    const id = header.tlvs.find(({ type }) => type === 5)?.value ?? new Uint8Array();
    expect(Buffer.from(id).toString('latin1')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('checks health with a LOCAL header', async () => {
    const isCheck = (stream: Buffer) => stream.length > 0 && !bringsPayload(stream);
    await until('a health check', () => recorder.streams.some(isCheck));
    const check = recorder.streams.find(isCheck) ?? Buffer.alloc(0);
    expect(parseProxyProtocol(check)).toMatchObject({ kind: 'done', version: 2, addresses: null });
  });

  it.each([
    ['TCP4', CLAIMED, '192.0.2.7 40312 198.51.100.10 443'],
    ['TCP6', CLAIMED_V6, '2001:db8::7 40312 2001:db8:2::10 443'],
  ])('believes what we write: %s', async (_, addresses, seen) => {
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
    const { read } = await converse(
      ports.accept,
      '127.0.0.1',
      Buffer.concat([proxyProtocolHeader(addresses), request]),
    );
    expect(read.split('\r\n\r\n')[1]).toBe(seen);
  });

  it('takes the connection itself when we write LOCAL', async () => {
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n');
    const { localPort, read } = await converse(
      ports.accept,
      '127.0.0.1',
      Buffer.concat([proxyProtocolHeader(null), request]),
    );
    expect(read.split('\r\n\r\n')[1]).toBe(`127.0.0.1 ${localPort} 127.0.0.1 ${ports.accept}`);
  });
});

describeWith(
  'nginx',
  'nginx',
  scope => {
    const recorder = new Recorder();
    let ports = { send: 0, accept: 0 };

    beforeAll(async () => {
      const target = await recorder.listen();
      scope.defer(() => recorder.close());
      ports = await startNginx(scope, target);
    });

    it.each(['127.0.0.1', '::1'])('proxy_protocol on is read, from %s', async host => {
      const { localPort } = await converse(ports.send, host, PAYLOAD);
      expect(headerOf(recorder.latest())).toMatchObject({
        version: 1,
        addresses: { source: { ip: host, port: localPort }, destination: { ip: host, port: ports.send } },
      });
    });

    it.each([
      ['TCP4', CLAIMED, '192.0.2.7 40312 198.51.100.10 443'],
      ['TCP6', CLAIMED_V6, '2001:db8::7 40312 2001:db8:2::10 443'],
    ])('believes what we write: %s', async (_, addresses, seen) => {
      const { read } = await converse(ports.accept, '127.0.0.1', proxyProtocolHeader(addresses));
      expect(read).toBe(seen);
    });
  },
  NGINX_STREAM,
);
