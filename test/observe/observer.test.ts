import { expect, test } from 'vitest';
import type { FlowObserver } from '../../src/dataplane/events.ts';
import { fanOut } from '../../src/observe/observer.ts';
import { close, decision } from './support.ts';

function recorder(into: string[], name: string): FlowObserver {
  return {
    decided: event => into.push(`${name} decided ${event.flow}`),
    closed: event => into.push(`${name} closed ${event.flow}`),
  };
}

const broken: FlowObserver = {
  decided() {
    throw new Error('decided broke');
  },
  closed() {
    throw new Error('closed broke');
  },
};

test('every subscriber is told, in order', () => {
  const told: string[] = [];
  const all = fanOut([recorder(told, 'a'), recorder(told, 'b')], () => {});
  all.decided(decision());
  all.closed(close());
  expect(told).toEqual(['a decided k3f9', 'b decided k3f9', 'a closed k3f9', 'b closed k3f9']);
});

test('a subscriber that throws stops no other and is reported once', () => {
  const told: string[] = [];
  const faults: [FlowObserver, unknown][] = [];
  const all = fanOut([broken, recorder(told, 'b')], (subscriber, error) => faults.push([subscriber, error]));
  for (let i = 0; i < 3; i++) {
    all.decided(decision());
    all.closed(close());
  }
  expect(told).toHaveLength(6);
  expect(faults).toEqual([[broken, new Error('decided broke')]]);
});
