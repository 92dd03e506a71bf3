import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

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
export type DnsReply = readonly DnsRecord[] | 'NXDOMAIN' | 'SERVFAIL' | 'silence';

export type DnsHandler = (query: DnsQuery) => DnsReply;

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
const RESPONSE_CODES = { NXDOMAIN: 3, SERVFAIL: 2 } as const;

/** A DNS server over UDP on 127.0.0.1 and a free port; answers whatever the zone or handler says. */
export async function startDnsServer(source: DnsZone | DnsHandler): Promise<DnsServer> {
  const handler = typeof source === 'function' ? source : zoneHandler(source);
  const socket = createSocket('udp4');
  const queries: DnsQuery[] = [];
  socket.on('message', (message: Buffer, peer: RemoteInfo) => {
    const question = readQuestion(message);
    if (question === null) return;
    queries.push(question.query);
    const reply = handler(question.query);
    if (reply !== 'silence') socket.send(encodeReply(message, question, reply), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { address, port } = socket.address();
  return {
    address,
    port,
    server: `${address}:${port}`,
    queries,
    close: () => new Promise(resolve => socket.close(() => resolve())),
  };
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
