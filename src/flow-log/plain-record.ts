import type { SeenFlow } from '../policy/seen-flow.ts';
import { asAction, asFlows, asState, textOrNull } from './record-fields.ts';

/** A JSON string that stands for itself: printable ASCII without quote and backslash. */
const PLAIN = '[ !#-[\\]-~]*';
const NUMBER = '0|[1-9]\\d{0,8}';
const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';

const DECISION = [
  `\\{"level":"info","time":"(${TIME})","event":"decision","gateway":"${PLAIN}","flow":"${PLAIN}"`,
  `"listener":"${PLAIN}","src_ip":"(${PLAIN})","src_port":(?:${NUMBER}),"dst_ip":(?:null|"(${PLAIN})")`,
  `"dst_port":(${NUMBER}),"hostname":(?:null|"(${PLAIN})"),"protocol":"${PLAIN}","state":"([A-Z_]+)"`,
  `"action":"([a-z-]+)","reason":(?:null|"(${PLAIN})"),"rule":(?:null|"(${PLAIN})")(?:,"detail":"${PLAIN}")?`,
].join(',');
const EXTRAS = `(?:,"vpc_endpoint":"(${PLAIN})")?(?:,"ech":(true|false))?(?:,"suppressed":(${NUMBER}))?,"msg":"${PLAIN}"\\}(?=\\r?\\n)`;

/** Where the event of a record of ours stands, and what it is in a close record. */
const CLOSE_AT = '{"level":"info","time":"2026-11-21T01:34:58.901Z'.length;
const CLOSE = '","event":"close","';

/**
 * Whether a close record of ours begins at `start`. How it goes on is not looked at: half of all lines are close
 * records, and they say nothing that a decision does not.
 */
export function isCloseRecord(text: string, start: number): boolean {
  return text.startsWith(CLOSE, start + CLOSE_AT) && text.startsWith('{"level":"', start);
}

/**
 * Reads decision records that are spelled exactly as the daemon spells them, without an escape, which is nearly all of
 * them: a quarter of the time of JSON.parse. Whatever is spelled otherwise is left to `readJsonRecord`, which this
 * agrees with on all the rest.
 */
export class PlainRecordReader {
  readonly #pattern = new RegExp(DECISION + EXTRAS, 'y');

  /** Reads the line that begins at `start` and ends with a newline; null when it is spelled otherwise. */
  read(text: string, start: number): SeenFlow | null {
    this.#pattern.lastIndex = start;
    const match = this.#pattern.exec(text);
    if (match === null) return null;
    const [, time = '', sourceText, destination, portText, hostname, stateText, actionText, ...rest] = match;
    const [reason, rule, vpcEndpoint, ech, suppressed] = rest;
    const source = textOrNull(sourceText);
    const state = asState(stateText);
    const action = asAction(actionText);
    const port = Number(portText);
    const timeMs = Date.parse(time);
    const flows = asFlows(suppressed === undefined ? undefined : Number(suppressed));
    if (source === null || state === null || action === null || flows === null) return null;
    if (port < 1 || port > 65535 || Number.isNaN(timeMs)) return null;
    return {
      timeMs,
      source,
      vpcEndpoint: textOrNull(vpcEndpoint) ?? undefined,
      destination: textOrNull(destination),
      hostname: textOrNull(hostname),
      port,
      state,
      action,
      reason: textOrNull(reason),
      rule: textOrNull(rule),
      ech: ech === 'true',
      flows,
    };
  }
}
