import { Scope } from '../support/scope.ts';
import type { Failure, Property } from './property.ts';
import type { Target } from './target.ts';

export interface Extent {
  readonly seed: number;
  /** For the whole target; Infinity for no bound. */
  readonly seconds: number;
  /** Of each property; Infinity for no bound. */
  readonly runs: number;
}

export interface Finding extends Failure {
  readonly target: string;
  readonly property: string;
  /** Begins a run that finds it at once. */
  readonly seed: number;
}

export interface PropertyReport {
  readonly property: string;
  readonly executions: number;
  /** Those whose input the property had something to say of. */
  readonly telling: number;
}

export interface TargetReport {
  readonly target: string;
  readonly seconds: number;
  readonly properties: readonly PropertyReport[];
  readonly findings: readonly Finding[];
  readonly missing: readonly string[];
}

export interface Progress {
  readonly target: string;
  readonly property: string;
  readonly executions: number;
  readonly seconds: number;
  readonly findings: number;
}

/** Short, so that the properties of a target take turns and a progress line moves. */
const TURN = { runs: 1_000, limitMs: 1_000 };
/** A property that fails so often has been understood. */
const FINDINGS_A_PROPERTY = 3;

/** One property and how far it has come. */
class Course {
  readonly property: Property;
  executions = 0;
  telling = 0;
  /** By what was wrong, numbers aside. */
  readonly findings = new Map<string, Finding>();
  #failures = 0;

  constructor(property: Property) {
    this.property = property;
  }

  isOver(runs: number): boolean {
    return this.executions >= runs || this.#failures >= FINDINGS_A_PROPERTY;
  }

  async turn(target: string, seed: number, runs: number, limitMs: number): Promise<void> {
    const trial = { seed, runs: Math.min(TURN.runs, runs - this.executions), limitMs };
    const { executions, telling, failure } = await this.property.try(trial);
    this.executions += executions;
    this.telling += telling;
    if (failure === null) return;
    this.#failures++;
    const kind = failure.message.replace(/[0-9a-f]{4,}|\d+/gi, '#').split('\n', 1)[0] ?? '';
    if (!this.findings.has(kind)) {
      this.findings.set(kind, { target, property: this.property.name, seed, ...failure });
    }
  }
}

/** Runs a target's properties in turns until the time is over or each has had its runs. */
export async function runTarget(
  target: Target,
  { seed, seconds, runs }: Extent,
  onProgress: (progress: Progress) => void = () => {},
): Promise<TargetReport> {
  const scope = new Scope();
  try {
    const { properties, missing } = await target.open(scope);
    const courses = properties.map(property => new Course(property));
    const startedMs = performance.now();
    const elapsed = () => (performance.now() - startedMs) / 1_000;
    const sum = (count: (course: Course) => number) =>
      courses.reduce((total, course) => total + count(course), 0);
    for (let turn = 0; elapsed() < seconds && courses.some(course => !course.isOver(runs)); turn++) {
      for (const course of courses) {
        const leftMs = (seconds - elapsed()) * 1_000;
        if (course.isOver(runs) || leftMs <= 0) continue;
        // The seed of the first turn is the one given: a finding's own seed finds it again in its first turn.
        await course.turn(target.name, (seed + turn) | 0, runs, Math.min(TURN.limitMs, leftMs));
        onProgress({
          target: target.name,
          property: course.property.name,
          executions: sum(({ executions }) => executions),
          seconds: elapsed(),
          findings: sum(({ findings }) => findings.size),
        });
      }
    }
    return {
      target: target.name,
      seconds: elapsed(),
      properties: courses.map(({ property, executions, telling }) => ({
        property: property.name,
        executions,
        telling,
      })),
      findings: courses.flatMap(({ findings }) => [...findings.values()]),
      missing,
    };
  } finally {
    await scope.close();
  }
}
