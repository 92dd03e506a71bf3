import { readFileSync } from 'node:fs';
import { Latencies } from '../load/latencies.ts';
import { tlsFlow, tlsSession } from '../load/tls-flow.ts';
import type { TlsOrder, TlsReport, TlsResult } from '../load/tls-orders.ts';

// A client with a real TLS stack; its argument is the certificate it trusts.
const ca = readFileSync(process.argv[2] ?? '');

process.on('message', async (order: TlsOrder) => {
  let report: TlsReport;
  try {
    report = { type: 'done', result: await run(order) };
  } catch (error) {
    report = { type: 'failed', message: String(error) };
  }
  process.send?.(report);
});
process.on('disconnect', () => process.exit());

async function run({ target, flows, concurrency, resume }: TlsOrder): Promise<TlsResult> {
  const session = resume ? await tlsSession(target, ca) : undefined;
  const latencies = new Latencies(flows);
  let started = 0;
  const begunMs = performance.now();
  const client = async () => {
    while (started++ < flows) latencies.add((await tlsFlow(target, ca, session)) * 1000);
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return { flows, seconds: (performance.now() - begunMs) / 1000, handshakeUs: latencies.summary() };
}
