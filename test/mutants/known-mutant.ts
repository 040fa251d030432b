import type { Mutant } from '../support/mutated.js';
import type { SuiteName } from './suites.js';

/** A way to be wrong, and the suite that is known to find it out. */
export interface KnownMutant extends Mutant {
  readonly killedBy: SuiteName;
}
