import type { Io } from './io.ts';

const COLOURS: Readonly<Record<string, string>> = { '+': '32', '-': '31', '@': '36' };

/** Prints a unified diff, in colours on a terminal that wants them. What a file holds cannot steer the terminal. */
export function showDiff(diff: string, io: Io): void {
  if (io.terminal === undefined) {
    io.out(diff);
    return;
  }
  const isColoured = (io.env.NO_COLOR ?? '') === '' && io.env.TERM !== 'dumb';
  for (const line of diff.split(/(?<=\n)/)) {
    const text = line.replace(/[^\P{Cc}\t\n]/gu, printable);
    const colour = isColoured ? COLOURS[text.charAt(0)] : undefined;
    io.out(colour === undefined ? text : `\u001b[${colour}m${text.trimEnd()}\u001b[0m\n`);
  }
}

/** A carriage return at the end of a line is a line break of another kind, and is left out. */
function printable(control: string): string {
  return control === '\r' ? '' : `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
