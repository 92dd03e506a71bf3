import { setImmediate } from 'node:timers/promises';

/** So many items are written in one go. */
const ITEMS_A_CHUNK = 256;

/** `{"key":[…]}`, written while it is read, so that a list of 100 000 holds up nothing else. */
export function streamJsonList(key: string, items: Iterable<unknown>): ReadableStream<Uint8Array> {
  const iterator = items[Symbol.iterator]();
  const encoder = new TextEncoder();
  let opening = `{${JSON.stringify(key)}:[`;
  let separator = '';
  return new ReadableStream({
    async pull(controller) {
      await setImmediate();
      let text = opening;
      opening = '';
      for (let i = 0; i < ITEMS_A_CHUNK; i++) {
        const item = iterator.next();
        if (item.done === true) {
          controller.enqueue(encoder.encode(`${text}]}`));
          return controller.close();
        }
        text += separator + JSON.stringify(item.value);
        separator = ',';
      }
      controller.enqueue(encoder.encode(text));
    },
    cancel() {
      iterator.return?.();
    },
  });
}
