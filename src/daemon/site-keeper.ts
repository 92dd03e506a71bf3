import type { FromKeeper, ToKeeper } from '../observe/store/messages.ts';
import { StoreKeeper } from '../observe/store/store-keeper.ts';

// The program of the process that keeps sites on disk: see keeper-process.ts.
const [path] = process.argv.slice(2);
const send = process.send?.bind(process);
if (path === undefined || send === undefined)
  throw new Error('the keeper of sites is started by the daemon only');
const keeper = new StoreKeeper(path, (message: FromKeeper) => {
  // The last answer has to be out before the line is cut.
  send(message, undefined, undefined, () => {
    if (message.type === 'closed') process.disconnect();
  });
});
// Whom the workload talks to is nobody else's business.
process.umask(0o077);
// A terminal and some supervisors signal every process: the last counts come when the daemon has drained.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {});
process.on('message', (message: ToKeeper) => keeper.handle(message));
// Told to end, or the daemon has ended, however it did.
process.on('disconnect', () => {
  keeper.close();
  process.exit(0);
});
