import type { Mutant } from '../support/mutated.js';
import type { SuiteName } from './suites.js';

/** A known mistake, and the suite that finds it. */
export interface KnownMutant extends Mutant {
  readonly killedBy: SuiteName;
}
