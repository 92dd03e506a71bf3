import { type Attack, attack } from '../load/attacks.ts';

// Attacks as it is told, until it is asked how many connections it has made.
process.once('message', (order: Attack) => {
  const made = attack(order);
  process.on('message', () => process.send?.({ made: made() }));
});
process.on('disconnect', () => process.exit());
