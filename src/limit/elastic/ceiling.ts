/**
 * The response to refusals. They cut the limit, and the refused level stays a ceiling for a while that probes respect.
 *
 * With a quota, the ceiling is the difference between one refusal a second and hundreds. All constants are tuned: see the
 * simulation (`npm run bench -- adaptive`).
 */
import { clamp, type Phase } from './phase.js';

/** What is kept of the limit in one cut. The next cut can follow after two round trips. */
const deepestCut = 0.5;
const shallowestCut = 0.9;
/** All cuts of one episode keep at least this share: a backend that is down refuses every call at every limit. */
const floorShare = 0.1;
/** How long a ceiling holds. The time doubles each time the same level (within `sameLevel`, in logarithms) is refused. */
const firstHoldMs = 5_000;
const longestHoldMs = 10_000;
/** Refusals within this time after the last cut belong to the same episode. */
export const episodeMs = 5_000;
const sameLevel = 0.3;
/** After that it rises by this factor a second, and disappears at twice the limit. */
const risePerSecond = 1.3;
const riseEveryMs = 1_000;
/** A probe stays below this share of the ceiling. */
const probeShare = 0.95;
/** Refusals that continue below this share of the ceiling do not depend on concurrency. */
const unrelatedBelow = 0.6;

/** The refused level, and the cuts of the current episode. */
export class Ceiling {
  #level = Infinity;
  #lastLevel = Infinity;
  #sinceMs = -Infinity;
  #holdMs = firstHoldMs;
  #cutMs = -Infinity;
  #nextCutMs = -Infinity;
  #limitBefore: number;
  #unrelated = false;

  constructor(limit: number) {
    this.#limitBefore = limit;
  }

  /** `Infinity` if nothing was refused lately. */
  get level(): number {
    return this.#level;
  }

  /** Whether the last cut is long enough ago for its effect to show. */
  mayCut(nowMs: number): boolean {
    return nowMs >= this.#nextCutMs;
  }

  /** Whether the cuts of this episode have not ended it, although they have lowered the limit by far. */
  cutsDoNotHelp(limit: number): boolean {
    return limit < unrelatedBelow * this.#limitBefore;
  }

  /** @returns the new target. A refused probe does not lower it. */
  hit(phase: Phase, nowMs: number, limit: number, roundTripMs: number): number {
    const sameEpisode = nowMs - this.#nextCutMs < episodeMs;
    if (sameEpisode) {
      if (this.#level < Infinity && phase.limit < unrelatedBelow * this.#level) this.#unrelated = true;
    } else {
      const again = Math.abs(Math.log(phase.limit / this.#lastLevel)) < sameLevel;
      this.#holdMs = again ? Math.min(longestHoldMs, this.#holdMs * 2) : firstHoldMs;
      this.#unrelated = false;
      this.#limitBefore = limit;
    }
    if (this.#unrelated) this.#level = phase.purpose === 'probe' ? phase.limit : Infinity;
    else this.#level = Math.min(sameEpisode ? this.#level : Infinity, phase.limit);
    this.#lastLevel = this.#level;
    this.#cutMs = nowMs;
    this.#nextCutMs = nowMs + 2 * roundTripMs;
    this.#sinceMs = nowMs;
    if (phase.purpose === 'probe') return limit;
    // A refusal is often quick, and its caller calls again: many refusals may have occupied little of the limit.
    const refused = Math.min(phase.overloads / phase.ended, phase.refusedShare);
    const kept = clamp(1 - refused, deepestCut, shallowestCut);
    return Math.max(floorShare * this.#limitBefore, Math.min(limit, phase.limit) * kept);
  }

  /** A climb was refused at this level. */
  stop(level: number, nowMs: number): void {
    this.#level = Math.min(this.#level, level);
    this.#sinceMs = nowMs;
  }

  /** Whether the limit was cut to less than half, so that it should come back by leaps. */
  hasCutDeep(limit: number): boolean {
    return limit < 0.5 * this.#limitBefore;
  }

  /** Ends and forgets an episode with a cut after `sinceMs`. @returns the target before that episode. */
  undo(sinceMs: number): number | undefined {
    if (this.#cutMs < sinceMs) return undefined;
    this.#level = Infinity;
    this.#nextCutMs = -Infinity;
    return this.#limitBefore;
  }

  /** Raises the ceiling after its hold. */
  rise(nowMs: number, limit: number): void {
    if (this.#level === Infinity || nowMs <= this.#sinceMs + this.#holdMs) return;
    this.#level = this.#level > 2 * limit ? Infinity : this.#level * risePerSecond + 1;
    this.#sinceMs = nowMs - this.#holdMs + riseEveryMs;
  }

  /** The probe, lowered to what is not known to be refused. */
  below(probe: number): number {
    if (this.#level === Infinity) return probe;
    return Math.min(probe, Math.floor(Math.min(this.#level - 1, this.#level * probeShare)));
  }

  /** After a step of the wall clock, no stored time may lie in the future. */
  clockIs(nowMs: number): void {
    this.#cutMs = Math.min(this.#cutMs, nowMs);
    this.#nextCutMs = Math.min(this.#nextCutMs, nowMs);
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
  }
}
