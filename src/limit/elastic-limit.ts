/**
 * ElasticLimit: finds the concurrency limit of a backend by raising it a little and measuring the gain.
 *
 * The signal is the elasticity, d ln(goodput) / d ln(limit). Near 1, more helps. Near 0, the backend is full. Below 0,
 * more harms. It is measured by deliberate steps: three slots of time at the current target (base), one slot above it
 * (probe). It does not compare latency with a remembered minimum, so a slower network is not mistaken for a queue.
 *
 * Base and probe alternate. A drain lowers the limit for two slots to measure a call's duration when nothing queues. A cut
 * halves the limit to see whether that costs goodput. A climb is the way back after refusals where calls take long. Each
 * part is a file in `elastic/`.
 *
 * Invariants
 *   EL1  The limit is a whole number within [min, max].
 *   EL2  The same samples give the same limits.
 *   EL3  The limit grows only when calls reach it; if they do so sometimes and nothing queues, it grows by a small step.
 *   EL4  A step of the wall clock, or hours of silence, does not move the limit: the current phase starts over.
 *
 * Several processes: phases lie on one grid of wall time, so processes probe together; see `elastic/slot-grid.ts`.
 * Cost: some additions per sample, no timer, O(1) memory; one small object per phase.
 * Not here: a fast answer when calls are few. A trial takes about 64 successes at each of the two limits.
 * Lineage: hill climbing on goodput (Heiss and Wagner 1991); BBR's drains; Kalman 1960; Page's CUSUM 1954.
 */
import { Ceiling, episodeMs } from './elastic/ceiling.js';
import { Climb } from './elastic/climb.js';
import { CutSearch } from './elastic/cut-search.js';
import {
  drainedLimit,
  drainIsOver,
  drainShare,
  fewestOfDrain,
  overshot,
  reliefIsOver,
} from './elastic/drain.js';
import { DurationJump } from './elastic/duration-jump.js';
import { KneeFilter } from './elastic/knee-filter.js';
import { Outage } from './elastic/outage.js';
import { PairedTrial, type Verdict } from './elastic/paired-trial.js';
import { boundFrom, clamp, fewestSuccesses, type Measurement, Phase, type Plan } from './elastic/phase.js';
import { probeFrom } from './elastic/probe-step.js';
import { RoundTrip } from './elastic/round-trip.js';
import { SlotGrid } from './elastic/slot-grid.js';
import { UsualRefusals } from './elastic/usual-refusals.js';
import {
  checkSample,
  type LimitAlgorithm,
  type LimitBounds,
  type LimitSample,
  limitBounds,
} from './limit-algorithm.js';

// Every constant of the law is tuned: see the simulation (`npm run bench -- adaptive`), which shows the effect of a change.

/** A phase measures its limit only if at least this share of its calls found the limit in use. Tuned. */
const measurableFrom = 0.8;
/** Below this share, the base is not used enough to be worth a probe or a drain. Tuned. */
const bindsFrom = 0.5;
/** A leap doubles the limit when the knee is far. A leap of at least this elasticity is kept and repeated. Tuned. */
const leapFactor = 2;
const leapAgainFrom = 0.6;
/**
 * If calls take this many times the baseline, a client alone gains at most half of a step by it. A larger gain is taken from
 * other processes, and no reason to leap.
 */
const leapsUpToRatio = 2;
/** A first leap whose elasticity may be lower than this may have started above the knee. Tuned. */
const startedTooHighBelow = 0.15;
/** After a silence of this many slots, the phase starts over: the silence measured nothing. Tuned. */
const silenceSlots = 16;

/**
 * The default law of `AdaptiveSemaphore`: finds the limit at which a backend gives its best goodput, and follows it.
 *
 * It needs no latency target. Give it `initial`, `min` and `max` (calls at once). All other constants are fixed, because
 * results hardly depend on them. The law is described in `docs/adaptive-semaphore.md`.
 *
 * @throws TypeError or RangeError that names the option and the value.
 * @example
 * ```ts
 * import { AdaptiveSemaphore, ElasticLimit } from 'latchkey';
 *
 * const algorithm = new ElasticLimit({ initial: 8, max: 100 });
 * const backend = new AdaptiveSemaphore({ algorithm });
 * await backend.run(async () => 'done');
 * console.log(backend.limit, algorithm.snapshot()['phase']); // → 8 base
 * ```
 */
export class ElasticLimit implements LimitAlgorithm {
  readonly #min: number;
  readonly #max: number;
  readonly #grid = new SlotGrid();
  readonly #roundTrip = new RoundTrip();
  readonly #trial = new PairedTrial();
  readonly #jump = new DurationJump();
  readonly #refusals = new UsualRefusals();
  readonly #outage = new Outage();
  readonly #ceiling: Ceiling;
  #filter = new KneeFilter();
  #search: CutSearch | undefined;
  /** Of the current phase, if it is a climb. */
  #climb: Climb | undefined;
  #phase: Phase;
  /** The best estimate of the limit, not rounded. Phases are steps from it. */
  #target: number;
  /** Double instead of stepping: at first, after a deep cut, and when the knee has moved far up. */
  #leaping = true;
  /** No trial has shown yet that the limit is near the knee. */
  #unproven = true;
  /** Whether calls reached the last base. A limit that calls do not reach cannot be measured. */
  #binds = false;
  #lastBase: Measurement | undefined;
  /** The base before the last one, unless something else came between them. */
  #previousBase: Measurement | undefined;
  #lastMs = -Infinity;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: LimitBounds = {}) {
    const { initial, min, max } = limitBounds(options);
    this.#min = min;
    this.#max = max;
    this.#target = initial;
    this.#ceiling = new Ceiling(initial);
    this.#phase = new Phase('base', initial, -Infinity, 0);
  }

  get limit(): number {
    return this.#phase.limit;
  }

  /**
   * What the law knows. `limit` is in force now; `target` is the best estimate; durations are in milliseconds, 0 while
   * unknown; `ceiling` is a level that was refused lately, `Infinity` without one.
   */
  snapshot(): Readonly<Record<string, number | string>> {
    const { limit, purpose } = this.#phase;
    return {
      limit,
      target: this.#target,
      phase: purpose,
      elasticity: this.#filter.elasticity,
      durationMs: this.#roundTrip.meanMs,
      baselineMs: this.#roundTrip.baselineMs,
      ceiling: this.#ceiling.level,
      slotMs: this.#grid.slotMs,
    };
  }

  /**
   * Learns from one call that has ended.
   * @throws TypeError or RangeError that names the field of the sample.
   */
  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { durationMs, held } = sample;
    const isOverload = sample.outcome === 'overload';
    const nowMs = this.#timeOf(sample.nowMs);
    const phase = this.#phase;
    const isOwnOverload = phase.add(nowMs, durationMs, held, isOverload);
    const mayCut = isOwnOverload && this.#ceiling.mayCut(nowMs);
    if (this.#outage.hasEnded(nowMs, isOverload, this.#roundTrip.meanMs)) this.#recover(nowMs);
    else if (mayCut && this.#refusals.areExceeded(phase)) this.#overload(phase, nowMs);
    else if (this.#isSlotOver(nowMs, durationMs, isOverload)) this.#endSlot(phase, nowMs);
    else if (phase.purpose === 'relief' && reliefIsOver(phase)) this.#endSlot(phase, nowMs);
    else if (this.#climb && (isOwnOverload || !isOverload)) this.#climbOn(this.#climb, phase, nowMs, sample);
  }

  /** Without a grid: whether enough calls have succeeded to lay it. A refusal is often quick, so it does not count. */
  #isSlotOver(nowMs: number, durationMs: number, isOverload: boolean): boolean {
    if (this.#grid.isLaid) return nowMs >= this.#grid.slotEndMs;
    return !isOverload && this.#roundTrip.begin(durationMs);
  }

  /** The wall clock without small backward steps: during one, the last time is used. */
  #timeOf(nowMs: number): number {
    const aheadMs = nowMs - this.#lastMs;
    const { slotMs } = this.#grid;
    if (aheadMs < 0 && aheadMs >= -slotMs) return this.#lastMs;
    this.#lastMs = nowMs;
    if (aheadMs < 0 || (this.#grid.isLaid && aheadMs > silenceSlots * slotMs)) this.#beginAgain(nowMs);
    return nowMs;
  }

  /** A phase during which the clock was set, or no call ended, has measured nothing. */
  #beginAgain(nowMs: number): void {
    this.#ceiling.clockIs(nowMs);
    this.#trial.clear();
    if (this.#grid.isLaid) this.#grid.align(nowMs, this.#roundTrip.settleMs);
    this.#open({ purpose: 'base', limit: this.#target }, nowMs);
  }

  #endSlot(phase: Phase, nowMs: number): void {
    this.#grid.align(nowMs, this.#roundTrip.settleMs);
    if (this.#isOver(phase, nowMs)) this.#open(this.#learn(phase) ?? this.#planOfGrid(nowMs), nowMs);
  }

  #isOver(phase: Phase, nowMs: number): boolean {
    const slots = (nowMs - phase.startedMs) / this.#grid.slotMs;
    switch (phase.purpose) {
      case 'base':
        return this.#grid.inProbeSlot || this.#drainIsDue;
      case 'probe':
        return true;
      case 'drain':
        return drainIsOver(phase, slots);
      case 'relief':
        return reliefIsOver(phase) || drainIsOver(phase, slots);
      case 'climb':
        return this.#drainIsDue || !this.#grid.isSlow || this.#climb!.isOver(nowMs, this.#grid.slotMs);
      case 'cut':
        return CutSearch.isOver(phase, slots, this.#roundTrip.neededSuccesses);
    }
  }

  /** @returns the next phase, if the measurement decides it; `undefined` leaves it to the grid. */
  #learn(phase: Phase): Plan | undefined {
    if (phase.hasStalled(this.#roundTrip.meanMs, this.#roundTrip.longestMs)) return this.#disregard(phase);
    switch (phase.purpose) {
      case 'base':
        return this.#learnFromBase(phase);
      case 'probe':
        return this.#learnFromProbe(phase);
      case 'drain':
        return this.#learnFromDrain(phase);
      case 'relief':
        return this.#learnFromRelief(phase);
      case 'climb':
        this.#roundTrip.learn(phase);
        return undefined;
      case 'cut':
        return this.#learnFromCut(phase);
    }
  }

  /** A phase without a result. A cut is repeated, because its search is not over. */
  #disregard({ purpose, limit }: Phase): Plan | undefined {
    this.#previousBase = undefined;
    return purpose === 'cut' ? { purpose, limit } : undefined;
  }

  #planOfGrid(nowMs: number): Plan {
    this.#ceiling.rise(nowMs, this.#target);
    if (this.#drainIsDue) {
      return { purpose: 'drain', limit: this.#target * drainShare(this.#roundTrip.ratio) };
    }
    const base = this.#within(this.#target);
    const above = this.#leaping ? base * leapFactor : probeFrom(base);
    const probe = this.#ceiling.below(this.#within(above));
    const mayProbe = this.#grid.inProbeSlot && this.#binds && probe > base;
    return mayProbe ? { purpose: 'probe', limit: probe } : { purpose: 'base', limit: base };
  }

  #open({ purpose, limit }: Plan, nowMs: number): void {
    this.#refusals.learn(this.#phase, this.#isDrain);
    const leastMs = purpose === 'drain' ? 0.75 * this.#grid.slotMs : 0;
    const settleMs = Math.max(this.#roundTrip.settleMs, leastMs);
    this.#phase = new Phase(purpose, this.#within(limit), nowMs, settleMs);
    this.#climb = purpose === 'climb' ? new Climb(this.#phase.limit, nowMs) : undefined;
  }

  /** Whether the phase shows which refusals are usual. A relief of short calls does not: earlier calls still fill the backend. */
  get #isDrain(): boolean {
    const { purpose } = this.#phase;
    return purpose === 'drain' || (purpose === 'relief' && this.#grid.isLaid && this.#grid.isSlow);
  }

  get #drainIsDue(): boolean {
    return this.#grid.inDrainSlot && this.#binds;
  }

  #within(limit: number): number {
    return clamp(Math.round(limit), this.#min, this.#max);
  }

  #moveTo(target: number): void {
    this.#target = clamp(target, this.#min, this.#max);
  }

  /** Drops what was learned about the knee. */
  #forget(): void {
    this.#unproven = false;
    this.#leaping = false;
    this.#filter = new KneeFilter();
    this.#jump.forget();
    this.#trial.clear();
    this.#previousBase = undefined;
  }

  #learnFromBase(phase: Phase): Plan | undefined {
    if (phase.countedMs === 0) return undefined;
    this.#binds = phase.boundShare > bindsFrom;
    this.#roundTrip.learn(phase);
    if (phase.boundShare < measurableFrom) return this.#hold(phase);
    const measured = phase.measured(this.#roundTrip.meanMs);
    const lnJump = this.#jump.seen(measured, this.#roundTrip.baselineMs, this.#roundTrip.noise);
    if (lnJump > 0) return this.#cut(measured, lnJump);
    if (lnJump < 0) this.#filter.reopen();
    if (this.#previousBase) this.#roundTrip.learnChance(measured, this.#previousBase);
    this.#previousBase = measured;
    this.#lastBase = measured;
    this.#trial.addBase(phase);
    if (this.#leaping) return undefined;
    // The first leap found too few callers, before there was a base to search from.
    if (this.#unproven) return this.#cut(measured);
    const verdict = this.#trial.verdict(this.#roundTrip.neededSuccesses, this.#roundTrip.noise);
    if (verdict === undefined) return undefined;
    // This phase ends one pair and starts the next.
    this.#trial.addBase(phase);
    return this.#step(verdict, measured);
  }

  /** Callers want less than the limit. Nothing was measured above it, so the limit stays. */
  #hold(phase: Phase): undefined {
    const { boundShare, successes, meanMs } = phase;
    this.#previousBase = undefined;
    this.#jump.limitDidNotBind();
    this.#trial.clear();
    if (boundShare < bindsFrom && successes >= fewestSuccesses) this.#roundTrip.lowerBaseline(phase);
    const unqueuedMs = this.#roundTrip.baselineMs || this.#roundTrip.meanMs;
    // Calls reach it sometimes and nothing queues: a small step up is safe, and makes it measurable.
    if (boundShare > 0.15 && successes >= 8 && meanMs < 1.25 * unqueuedMs) {
      this.#moveTo(this.#target + Math.max(0.5, 0.04 * this.#target));
    }
  }

  #learnFromProbe(phase: Phase): Plan | undefined {
    if (phase.countedMs === 0) return undefined;
    if (phase.boundShare < measurableFrom) {
      this.#trial.clear();
      this.#leaping = false;
      // There are not twice as many callers, and the knee is unknown: search for it below.
      return this.#unproven && this.#lastBase ? this.#cut(this.#lastBase) : undefined;
    }
    this.#trial.addProbe(phase);
    if (!this.#leaping) return undefined;
    const needed = Math.max(fewestSuccesses, this.#roundTrip.neededSuccesses / 2);
    const verdict = this.#trial.verdict(needed, this.#roundTrip.noise);
    return verdict && this.#leap(verdict);
  }

  #step(verdict: Verdict, base: Measurement): Plan | undefined {
    const { ratio } = this.#roundTrip;
    const { lnChange, movedUp } = this.#filter.add(verdict, ratio);
    this.#moveTo(this.#target * Math.exp(lnChange));
    if (movedUp) {
      this.#leaping = true;
      this.#trial.clear();
    }
    return this.#filter.wantsCut(ratio) ? this.#cut(base) : undefined;
  }

  #leap({ baseLimit, probeLimit, lnStep, elasticity, error }: Verdict): Plan | undefined {
    const { ratio } = this.#roundTrip;
    if (elasticity >= leapAgainFrom && ratio <= leapsUpToRatio && probeLimit < this.#max) {
      this.#unproven = false;
      this.#target = probeLimit;
      return undefined;
    }
    const isFirst = this.#unproven;
    this.#forget();
    // Later leaps are based on less evidence than the first.
    const trust = isFirst ? 1 : 0.5;
    this.#moveTo(baseLimit * Math.exp(trust * clamp(elasticity, 0, 1) * lnStep));
    const mayBeTooHigh = isFirst && elasticity - error < startedTooHighBelow;
    return mayBeTooHigh && this.#lastBase ? this.#cut(this.#lastBase) : undefined;
  }

  #learnFromDrain(phase: Phase): undefined {
    // Also after a drain that measured nothing: frequent drains leave no time for a trial.
    this.#grid.drainLess();
    if (phase.successes < fewestOfDrain) return;
    this.#trial.clear();
    if (this.#refusals.areMany(phase)) this.#restore(phase.startedMs - episodeMs);
    this.#roundTrip.drained(phase.meanMs);
    this.#jump.forget();
    const before = this.#target;
    if (this.#lastBase === undefined || !overshot(this.#lastBase, phase)) return;
    this.#moveTo(Math.min(before, drainedLimit(this.#lastBase, phase)));
    if (this.#target < 0.75 * before) this.#grid.drainOften();
    this.#filter.reopen(0.15 ** 2);
  }

  /** As from a drain, but without waiting for the grid. The way up is a climb, unless no cut helps or calls are short. */
  #learnFromRelief(phase: Phase): Plan | undefined {
    if (!this.#grid.isSlow) return undefined;
    if (phase.successes >= fewestOfDrain) {
      if (this.#refusals.areMany(phase) && this.#restore(phase.startedMs - episodeMs)) return undefined;
      this.#roundTrip.drained(phase.meanMs);
      this.#grid.drainLess();
    }
    return { purpose: 'climb', limit: this.#target };
  }

  #cut(from: Measurement, lnJump = 0): Plan {
    this.#search = new CutSearch(from, lnJump);
    return { purpose: 'cut', limit: this.#search.first };
  }

  #learnFromCut(phase: Phase): Plan | undefined {
    const search = this.#search;
    this.#roundTrip.learn(phase);
    if (search === undefined || phase.boundShare < measurableFrom || phase.successes < 4) {
      // Calls do not even reach this lower limit: keep it.
      this.#moveTo(phase.limit);
      this.#forget();
      this.#jump.limitDidNotBind();
      this.#binds = phase.boundShare > bindsFrom;
      return undefined;
    }
    if (phase.successes >= fewestSuccesses) this.#roundTrip.lowerBaseline(phase);
    const limit = search.add(phase.measured(this.#roundTrip.meanMs), this.#min);
    if (limit !== undefined) return { purpose: 'cut', limit };
    if (search.hasCut) this.#moveTo(search.knee);
    this.#forget();
    this.#binds = true;
    if (search.lnExogenousJump !== 0) {
      this.#roundTrip.rescaleBaseline(search.lnExogenousJump);
      this.#leaping = true;
    }
    return undefined;
  }

  /** An outage is over. If they repeat, the limit has used up a quota before its time: less of it, and no more for a while. */
  #recover(nowMs: number): void {
    const { sinceMs, upShare } = this.#outage;
    if (!this.#restore(sinceMs)) return;
    if (upShare < 1) this.#ceiling.stop(this.#target, nowMs);
    this.#moveTo(this.#target * upShare);
    this.#open({ purpose: 'base', limit: this.#target }, nowMs);
  }

  /** Goes back to the target from before an episode of cuts with a cut after `sinceMs`: the limit was not the cause. */
  #restore(sinceMs: number): boolean {
    const before = this.#ceiling.undo(sinceMs);
    if (before === undefined) return false;
    this.#moveTo(before);
    this.#forget();
    return true;
  }

  #overload(phase: Phase, nowMs: number): void {
    this.#moveTo(this.#ceiling.hit(phase, nowMs, this.#target, this.#roundTrip.meanMs));
    // Perhaps no limit prevents these refusals: a drain will tell.
    if (this.#ceiling.cutsDoNotHelp(phase.limit)) this.#grid.drainOften();
    this.#forget();
    this.#leaping = this.#ceiling.hasCutDeep(this.#target);
    this.#open(this.#planAfterRefusals, nowMs);
  }

  get #planAfterRefusals(): Plan {
    if (!this.#grid.isSlow) return { purpose: 'base', limit: this.#target };
    if (this.#roundTrip.baselineMs > 0) return { purpose: 'climb', limit: this.#target };
    // A climb needs to know how long a call takes when nothing queues.
    return { purpose: 'relief', limit: this.#target * drainShare(1) };
  }

  /** Each call of a climb may move the limit: some successes one step up, a refusal one step back. */
  #climbOn(climb: Climb, phase: Phase, nowMs: number, sample: LimitSample): void {
    const { durationMs, held, limit, outcome } = sample;
    const { meanMs, baselineMs } = this.#roundTrip;
    if (outcome === 'overload') {
      if (!climb.isStopped(nowMs, meanMs)) return;
      this.#ceiling.stop(phase.limit, nowMs);
      phase.limit = Math.max(climb.lowest, phase.limit - 1);
    } else if (nowMs - durationMs >= phase.startedMs) {
      climb.add(durationMs);
      this.#ceiling.rise(nowMs, phase.limit);
      const next = this.#ceiling.below(this.#within(phase.limit + 1));
      const isReached = next > phase.limit && held >= boundFrom * limit;
      if (!isReached || !climb.step(nowMs, meanMs, baselineMs)) return;
      phase.limit = next;
    }
    this.#moveTo(phase.limit);
  }
}
