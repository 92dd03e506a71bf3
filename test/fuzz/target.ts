import type { Scope } from '../support/scope.ts';
import type { Property } from './property.ts';

/** A part of the program and what must hold of it. */
export interface Target {
  readonly name: string;
  readonly summary: string;
  /** So many executions of each property take about a second: the short run that belongs to every test run. */
  readonly shortRuns: number;
  /** Makes its properties, with what they need of other programs, which end with the scope. */
  open(scope: Scope): Promise<OpenTarget>;
}

export interface OpenTarget {
  readonly properties: readonly Property[];
  /** What could not be had here, in words: `nginx is not installed`. */
  readonly missing: readonly string[];
}
