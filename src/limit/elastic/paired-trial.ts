/**
 * A trial: goodput at the base limit against goodput one step above it.
 *
 * The two alternate, so a slow drift of the backend affects both sides equally. Phases are pooled until both sides have
 * enough successes.
 */
import type { Phase } from './phase.js';

/** The result of one trial. */
export interface Verdict {
  readonly baseLimit: number;
  readonly probeLimit: number;
  /** ln(probe limit / base limit). */
  readonly lnStep: number;
  /** d ln(goodput) / d ln(limit): near 1 more helps, near 0 the backend is full, below 0 more harms. */
  readonly elasticity: number;
  /** Standard error of the elasticity. */
  readonly error: number;
}

/** Phases at one limit, added up. */
class Side {
  limit = 0;
  successes = 0;
  ms = 0;

  add(phase: Phase): void {
    this.limit = phase.limit;
    this.successes += phase.successes;
    this.ms += phase.countedMs;
  }
}

/** Pools phases into pairs and compares them. */
export class PairedTrial {
  #base = new Side();
  #probe = new Side();

  clear(): void {
    this.#base = new Side();
    this.#probe = new Side();
  }

  /** A base at another limit starts a new trial. */
  addBase(phase: Phase): void {
    if (this.#base.limit > 0 && this.#base.limit !== phase.limit) this.clear();
    this.#base.add(phase);
  }

  /** Ignored unless there is a base to compare it with. */
  addProbe(phase: Phase): void {
    if (this.#base.successes > 0) this.#probe.add(phase);
  }

  /** @returns `undefined` while either side has too few successes; otherwise the result, and the trial starts over. */
  verdict(neededSuccesses: number, noise: number): Verdict | undefined {
    const base = this.#base;
    const probe = this.#probe;
    if (base.successes < neededSuccesses || probe.successes < neededSuccesses) return undefined;
    const lnStep = Math.log(probe.limit / base.limit);
    const lnGain = Math.log(probe.successes / probe.ms / (base.successes / base.ms));
    const chance = Math.sqrt(noise * (1 / probe.successes + 1 / base.successes));
    this.clear();
    return {
      baseLimit: base.limit,
      probeLimit: probe.limit,
      lnStep,
      elasticity: lnGain / lnStep,
      error: chance / lnStep,
    };
  }
}
