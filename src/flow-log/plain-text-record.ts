import type { SeenFlow } from '../policy/seen-flow.ts';
import { asFlows, asState, textOrNull } from './record-fields.ts';

/** A value as `escapeValue` leaves it, without an escape. */
const VALUE = '[!#-&(-<>-[\\]-~]+';
const RECORD = [
  '(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z) info',
  `Gateway=${VALUE} S_IP=(${VALUE}) D_IP=(${VALUE}) hostname=(${VALUE}) state=(${VALUE})`,
].join(' ');
const EXTRAS = `(?: drop_reason=(${VALUE}))?(?: Rule=(${VALUE}))?(?: vpc_endpoint=(${VALUE}))?(?: suppressed=(0|[1-9]\\d{0,8}))?(?=\\r?\\n)`;

/** `PlainRecordReader` for `log.format: text`, beside `readTextRecord`. */
export class PlainTextReader {
  readonly #pattern = new RegExp(RECORD + EXTRAS, 'y');
  readonly #defaultPort: number;

  constructor(defaultPort: number) {
    this.#defaultPort = defaultPort;
  }

  /** Reads the line that begins at `start` and ends with a newline; null when it is spelled otherwise. */
  read(text: string, start: number): SeenFlow | null {
    this.#pattern.lastIndex = start;
    const match = this.#pattern.exec(text);
    if (match === null) return null;
    const [, time = '', sourceText, destination, hostname, stateText, reason, rule, ...extras] = match;
    const [vpcEndpoint, suppressed] = extras;
    const source = textOrNull(sourceText);
    const state = asState(stateText);
    const timeMs = Date.parse(time);
    const flows = asFlows(suppressed === undefined ? undefined : Number(suppressed));
    if (source === null || state === null || flows === null || Number.isNaN(timeMs)) return null;
    return {
      timeMs,
      source,
      vpcEndpoint: textOrNull(vpcEndpoint) ?? undefined,
      destination: textOrNull(destination),
      hostname: textOrNull(hostname),
      port: this.#defaultPort,
      state,
      action: null,
      reason: textOrNull(reason)?.toLowerCase() ?? null,
      rule: textOrNull(rule),
      ech: false,
      flows,
    };
  }
}
