import fc from 'fast-check';

/** What came of a number of executions. */
export interface Outcome {
  readonly executions: number;
  /** Those whose input the property has something to say of. */
  readonly telling: number;
  /** Null: it held. */
  readonly failure: Failure | null;
}

export interface Failure {
  /** What was wrong, as the check said it. */
  readonly message: string;
  /** The smallest input known to fail, as JSON. Bytes are in hex. */
  readonly input: string;
}

export interface Trial {
  readonly seed: number;
  readonly runs: number;
  /** It ends when this much time is over, whether it has done its runs or not. */
  readonly limitMs: number;
}

/** Something that must hold for all inputs of a kind. */
export interface Property {
  /** A fact, in words: it names rows of the regression file. */
  readonly name: string;
  try(trial: Trial): Promise<Outcome>;
  /** Rejects when it does not hold for this input, given as JSON. */
  replay(input: string): Promise<void>;
}

/** How long a smaller input is looked for after the last one that failed. */
const SHRINK_MS = 3_000;

/** What a check returns for an input that the property says nothing of. */
export type Verdict = 'vacuous' | undefined;

/**
 * `inputs` are values that JSON can carry (bytes in hex), so that one that was found can be kept in a file. `check`
 * throws, or rejects, where the property does not hold.
 */
export function property<T>(
  name: string,
  inputs: fc.Arbitrary<T>,
  check: (input: T) => Verdict | Promise<Verdict>,
): Property {
  return {
    name,
    async try({ seed, runs, limitMs }) {
      let telling = 0;
      let endMs = performance.now() + limitMs;
      const details = await fc.check(
        fc.asyncProperty(inputs, async input => {
          // fast-check's own limit leaves a check that is under way behind: it would run beside the next one.
          if (performance.now() > endMs) throw new fc.PreconditionFailure(true);
          try {
            if ((await check(input)) !== 'vacuous') telling++;
          } catch (error) {
            endMs = Math.max(endMs, performance.now() + SHRINK_MS);
            throw error;
          }
        }),
        { seed, numRuns: runs },
      );
      const { counterexample, errorInstance, failed, numRuns } = details;
      if (!failed || counterexample === null) return { executions: numRuns, telling, failure: null };
      const message = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
      return {
        executions: numRuns,
        telling: Math.min(telling, numRuns),
        failure: { message, input: JSON.stringify(counterexample[0]) },
      };
    },
    async replay(input) {
      await check(JSON.parse(input));
    },
  };
}
