import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { listenOn } from './upstream.ts';

export type DnsRecordType = 'A' | 'AAAA' | 'CNAME';

export interface DnsRecord {
  /** Owner name; the question's when left out. */
  readonly name?: string;
  readonly type: DnsRecordType;
  /** An address, or a CNAME's target. */
  readonly data: string;
  /** Seconds. */
  readonly ttl: number;
}

export interface DnsQuery {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'other';
}

/** The answer section (empty: no data), an error, or no answer at all. */
export type DnsReply = readonly DnsRecord[] | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'silence';

/** Packets in place of an answer, made of honest ones. */
export interface CraftedReply {
  readonly packets: (honest: (reply: Exclude<DnsReply, 'silence'>) => Buffer) => readonly Buffer[];
}

export type DnsHandler = (query: DnsQuery, transport: 'udp' | 'tcp') => DnsReply | CraftedReply;

/** Records by name; a CNAME is followed within the table, a missing name is NXDOMAIN. */
export type DnsZone = Readonly<Record<string, DnsReply>>;

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  /** `address:port`, as `dns.servers` takes it. */
  readonly server: string;
  /** Every query received, in order. */
  readonly queries: readonly DnsQuery[];
  close(): Promise<void>;
}

const TYPE_CODES = { A: 1, CNAME: 5, AAAA: 28 } as const;
const RESPONSE_CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 } as const;

/** A DNS server over UDP and TCP on 127.0.0.1 and a free port; answers whatever the zone or handler says. */
export async function startDnsServer(source: DnsZone | DnsHandler): Promise<DnsServer> {
  const handler = typeof source === 'function' ? source : zoneHandler(source);
  const socket = createSocket('udp4');
  const queries: DnsQuery[] = [];
  const answer = (message: Buffer, transport: 'udp' | 'tcp'): readonly Buffer[] => {
    const question = readQuestion(message);
    if (question === null) return [];
    queries.push(question.query);
    const reply = handler(question.query, transport);
    if (reply === 'silence') return [];
    const encode = (honest: Exclude<DnsReply, 'silence'>) => encodeReply(message, question, honest);
    return isCrafted(reply) ? reply.packets(encode) : [encode(reply)];
  };
  socket.on('message', (message: Buffer, peer: RemoteInfo) => {
    for (const packet of answer(message, 'udp')) socket.send(packet, peer.port, peer.address);
  });
  const stream = createServer(connection => {
    connection.on('error', () => {});
    // One question fits into one read; each message has its length before it.
    connection.on('data', chunk => {
      for (const packet of answer(chunk.subarray(2), 'tcp')) {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(packet.length);
        connection.write(Buffer.concat([length, packet]));
      }
    });
  });
  // TCP picks the port: of UDP's, far fewer are in use.
  socket.bind(await listenOn(stream), '127.0.0.1');
  await once(socket, 'listening');
  const { address, port } = socket.address();
  return {
    address,
    port,
    server: `${address}:${port}`,
    queries,
    close: () =>
      new Promise(resolve => {
        stream.close();
        socket.close(() => resolve());
      }),
  };
}

function isCrafted(reply: DnsReply | CraftedReply): reply is CraftedReply {
  return typeof reply === 'object' && 'packets' in reply;
}

function zoneHandler(zone: DnsZone): DnsHandler {
  return ({ name, type }) => {
    const reply = zone[name];
    if (reply === undefined) return 'NXDOMAIN';
    if (typeof reply === 'string') return reply;
    const answers: DnsRecord[] = [];
    let owner = name;
    for (let hops = 0; hops < 8; hops++) {
      const records = zone[owner];
      if (records === undefined || typeof records === 'string') return answers;
      const alias = records.find(record => record.type === 'CNAME');
      if (alias === undefined) {
        const wanted = records.filter(record => record.type === type);
        return [...answers, ...wanted.map(record => ({ name: owner, ...record }))];
      }
      answers.push({ name: owner, ...alias });
      owner = alias.data;
    }
    return answers;
  };
}

interface Question {
  readonly query: DnsQuery;
  /** Offset just after the question section. */
  readonly end: number;
}

function readQuestion(message: Buffer): Question | null {
  if (message.length < 17) return null;
  const labels: string[] = [];
  let offset = 12;
  for (let length = message[offset] ?? 0; length > 0; length = message[offset] ?? 0) {
    labels.push(message.toString('latin1', offset + 1, offset + 1 + length));
    offset += 1 + length;
    if (offset + 5 > message.length) return null;
  }
  const code = message.readUInt16BE(offset + 1);
  const type = code === TYPE_CODES.A ? 'A' : code === TYPE_CODES.AAAA ? 'AAAA' : 'other';
  return { query: { name: labels.join('.').toLowerCase(), type }, end: offset + 5 };
}

function encodeReply(request: Buffer, { query, end }: Question, reply: Exclude<DnsReply, 'silence'>): Buffer {
  const records = typeof reply === 'string' ? [] : reply;
  const header = Buffer.alloc(12);
  request.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (typeof reply === 'string' ? RESPONSE_CODES[reply] : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map(record => encodeRecord(record, query.name));
  return Buffer.concat([header, request.subarray(12, end), ...answers]);
}

function encodeRecord({ name, type, data, ttl }: DnsRecord, questionName: string): Buffer {
  const body = type === 'CNAME' ? encodeName(data) : encodeAddress(data);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPE_CODES[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(body.length, 8);
  return Buffer.concat([encodeName(name ?? questionName), fixed, body]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** Bytes of the family the text is in, so that an IPv4-mapped AAAA record can be served. */
function encodeAddress(text: string): Buffer {
  const parsed = isIPv6(text) ? ipaddr.IPv6.parse(text) : ipaddr.IPv4.parse(text);
  return Buffer.from(parsed.toByteArray());
}
