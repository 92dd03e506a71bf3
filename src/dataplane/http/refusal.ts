import { REASONS, type Reason } from '../../policy/reason.ts';
import type { FlowEnd } from '../events.ts';
import { httpStatus } from '../farewell.ts';
import { FlowRecorder } from '../flow-recorder.ts';
import { Judgement } from '../judgement.ts';
import type { Answer } from './answer.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';

/** Why a request that names no host cannot be served. */
export interface Objection {
  readonly reason: Reason;
  /** What exactly is malformed: a key of the sniffers' fault tables or what node:http's parser says; null where nothing is. */
  readonly detail: string | null;
}

/** Writes both records of a request that named no host. */
export function recordUnnamed(
  { reason, detail }: Objection,
  end: FlowEnd,
  { listener, client, originalDestination }: HttpOrigin,
  world: HttpWorld,
): void {
  const judgement = new Judgement(world.policy, client, world.clock);
  if (reason === 'destination_forbidden') judgement.forbid(reason, 'DENIED');
  else judgement.giveUp(reason);
  const record = new FlowRecorder(world.observer, world.clock, world.nextFlowId(), listener.name, client);
  record.protocol = 'http';
  record.detail = detail;
  record.dstIp = originalDestination?.ip ?? null;
  record.dstPort = originalDestination?.port ?? (listener.kind === 'sni' ? listener.upstreamPort : 0);
  record.sniffed();
  record.decided(judgement.decision('deny'));
  record.closed(end, { out: 0, in: 0 }, null);
}

/** What to tell a client that is refused. */
export function refusalAnswer(reason: Reason, detail: string | null, subject: string): Answer {
  const { status, error } = httpStatus(reason);
  const explanation = detail === null ? REASONS[reason] : `${REASONS[reason]}: ${detail}`;
  return { status: Number.parseInt(status, 10), error, subject, reason, explanation };
}
