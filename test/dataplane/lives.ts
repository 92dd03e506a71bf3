import { expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { connected, live, type RigOptions, relayEnds, type Step, story } from './support.ts';

/** A whole life: what it is, around what, what happens; then the wire's calls, the decision and the end. */
export type Life = readonly [
  sentence: string,
  options: RigOptions,
  steps: readonly Step[],
  calls: readonly string[],
  decision: string,
  end: string,
];

/** Where allowed.example is. */
export const DIALLED = '198.51.100.7:443';
export const served = [connected, relayEnds('server_fin')];
export const relayed = [`connect ${DIALLED}`, `relay to ${DIALLED}`];
export const ech = (serverName: string) => buildClientHello({ serverName, ech: true });
/** The beginning of a hello of 16 KiB. */
export const HUGE_HELLO = Uint8Array.of(22, 3, 1, 0x3f, 0xf4, 1, 0, 0x3f, 0xf0);

/** One test a life; each says exactly two records and leaves no timer behind. */
export function itLives(lives: readonly Life[]): void {
  it.each(lives)('%s', (_, options, steps, calls, decision, end) => {
    const rig = live(options, steps);
    expect(story(rig)).toEqual({ calls, decision, end, faults: [] });
    expect(rig.told).toEqual(['decided', 'closed', 'over']);
    expect(rig.clock.isIdle).toBe(true);
  });
}
