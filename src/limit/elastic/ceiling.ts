/**
 * What the backend refused. An overload cuts the limit, and the level that was refused stays a ceiling for a while,
 * which probes do not touch: at a quota, that is the difference between one refusal a second and hundreds.
 */
import { clamp, type Phase } from './phase.js';

/** Single refusals are noise. */
const fewestOverloads = 3;
const smallestOverloadShare = 0.1;
/** What is cut, in the time of two round trips, whatever the share that was refused: at least a tenth, at most half. */
const deepestCut = 0.5;
const shallowestCut = 0.9;
/** All cuts of one episode together leave a tenth: a backend that is down refuses all, which says nothing of limits. */
const floorShare = 0.1;
/** How long a ceiling holds; twice as long each time that the same level is refused again. */
const firstHoldMs = 5_000;
const longestHoldMs = 60_000;
const sameLevel = 0.3;
/** When it has held, it rises by so much a second, and is gone when it is of no more concern. */
const risePerSecond = 1.3;
const riseEveryMs = 1_000;
/** A probe stays clear of it. */
const probeShare = 0.95;
/** Refusals that go on so far below the ceiling have nothing to do with concurrency. */
const unrelatedBelow = 0.6;

export class Ceiling {
  #level = Infinity;
  #lastLevel = Infinity;
  #sinceMs = -Infinity;
  #holdMs = firstHoldMs;
  #nextCutMs = -Infinity;
  #limitBefore: number;
  #unrelated = false;

  constructor(limit: number) {
    this.#limitBefore = limit;
  }

  /** `Infinity` when nothing was refused of late. */
  get level(): number {
    return this.#level;
  }

  isHit(phase: Phase, nowMs: number): boolean {
    const { overloads, ended } = phase;
    return (
      overloads >= fewestOverloads && overloads >= smallestOverloadShare * ended && nowMs >= this.#nextCutMs
    );
  }

  /** @returns the limit that is left. A probe that was refused leaves it as it is. */
  hit(phase: Phase, nowMs: number, limit: number, roundTripMs: number): number {
    const sameEpisode = nowMs - this.#nextCutMs < firstHoldMs;
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
    this.#nextCutMs = nowMs + 2 * roundTripMs;
    this.#sinceMs = nowMs;
    if (phase.purpose === 'probe') return limit;
    const kept = clamp(1 - phase.overloads / phase.ended, deepestCut, shallowestCut);
    return Math.max(floorShare * this.#limitBefore, Math.min(limit, phase.limit) * kept);
  }

  /** Whether so little is left of the limit before the overload that it should come back by leaps. */
  hasCutDeep(limit: number): boolean {
    return limit < 0.5 * this.#limitBefore;
  }

  rise(nowMs: number, limit: number): void {
    if (this.#level === Infinity || nowMs <= this.#sinceMs + this.#holdMs) return;
    this.#level = this.#level > 2 * limit ? Infinity : this.#level * risePerSecond + 1;
    this.#sinceMs = nowMs - this.#holdMs + riseEveryMs;
  }

  /** The highest probe that is not known to be refused. */
  below(probe: number): number {
    if (this.#level === Infinity) return probe;
    return Math.min(probe, Math.floor(Math.min(this.#level - 1, this.#level * probeShare)));
  }

  /** Nothing can lie in the future, whatever the wall clock said before. */
  clockIs(nowMs: number): void {
    this.#nextCutMs = Math.min(this.#nextCutMs, nowMs);
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
  }
}
