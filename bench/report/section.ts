import { median } from '../measure/statistics.ts';

/** What one part of the bench found out. Plain data: it is kept as JSON. */
export interface Section {
  readonly title: string;
  /** What was done, in a sentence or two, and what the reader should know of it. */
  readonly text: string;
  readonly tables: readonly Table[];
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export type Cell = string | Figure;

/** One figure, measured once a round; no values where there was nothing to measure. */
export interface Figure {
  readonly values: readonly number[];
  readonly digits: number;
}

export function figure(values: readonly number[], digits: number): Figure {
  return {
    values: values.some(Number.isNaN) ? [] : values.map(value => Number(value.toPrecision(6))),
    digits,
  };
}

/** A table as markdown: medians, with smallest to largest in brackets where there was more than one round. */
function formatTable({ caption, head, rows }: Table): string {
  const cells = [
    head,
    head.map((_, i) => (i === 0 ? '---' : '---:')),
    ...rows.map(row => row.map(formatCell)),
  ];
  return `${caption}\n\n${cells.map(row => `| ${row.join(' | ')} |`).join('\n')}\n`;
}

export function formatSection({ title, text, tables }: Section): string {
  return [`## ${title}`, text, ...tables.map(formatTable)].join('\n\n');
}

function formatCell(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  const { values, digits } = cell;
  if (values.length === 0) return '–';
  const middle = median(values).toFixed(digits);
  if (values.length === 1) return middle;
  return `${middle} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
}
