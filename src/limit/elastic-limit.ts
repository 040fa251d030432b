/**
 * ElasticLimit: finds the limit by measuring what a step of it brings. Elasticity is d ln(goodput) / d ln(limit):
 * near 1 more helps, near 0 the backend is full, below 0 more harms.
 *
 * Phases lie on a grid of wall-clock slots (64 ms times a power of two), so that all processes probe together and
 * each measures the elasticity of the fleet, not of its own share. Three slots of base, one of probe; at times a drain.
 * A wall clock that steps backwards starts the phase anew. Cost: some additions per sample; O(1) memory.
 */
import {
  checkSample,
  type LimitAlgorithm,
  type LimitBounds,
  type LimitSample,
  limitBounds,
} from './limit-algorithm.js';

type Kind = 'base' | 'probe' | 'drain' | 'cut';

interface Phase {
  kind: Kind;
  limit: number;
  startedMs: number;
  /** When the first round trip had passed, so that what is counted belongs to this limit. */
  settledMs: number | undefined;
  counted: number;
  successes: number;
  durationSum: number;
  squareSum: number;
  overloads: number;
  samples: number;
  started: number;
  bound: number;
}

interface Point {
  limit: number;
  lnLimit: number;
  lnGoodput: number;
  lnDuration: number;
  successes: number;
}

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
const minSuccesses = 16;
const ceilingHoldMs = 5000;
const firstDrainEvery = 16;

export class ElasticLimit implements LimitAlgorithm {
  readonly #min: number;
  readonly #max: number;
  #target: number;
  #phase!: Phase;
  #mode: 'steady' | 'search' = 'steady';
  #fast = true;
  #unproven = true;
  // Noise and baseline: dispersion of durations and of goodput, mean duration, drained duration.
  #durationNoise = 1;
  #goodputNoise = 1;
  #meanMs = 0;
  #firstSamples = 0;
  #drainedMs = 0;
  #drains: number[] = [];
  #drainEvery = firstDrainEvery;
  #beforeDrain: Point | undefined;
  // Grid.
  #slotMs = 0;
  #slot = 0;
  #slotEndMs = Infinity;
  #lastMs = -Infinity;
  // Paired trial and update.
  #base = { limit: 0, n: 0, ms: 0 };
  #probe = { limit: 0, n: 0, ms: 0 };
  #boundShare = 0;
  #variance = 0.04;
  #riseSum = 0;
  #fallSum = 0;
  #elasticity = 0.3;
  #trials = 0;
  #cooldown = 8;
  #previousBase: Point | undefined;
  #lastBase: Point | undefined;
  #wasFree = false;
  // Reference for a jump of the duration at an unchanged limit.
  #lnReference: number | undefined;
  #lnReferenceLimit = 0;
  // Cut and verify.
  #path: Point[] = [];
  #jump = 0;
  // Loss and ceiling.
  #cutAllowedMs = -1e9;
  #beforeLoss: number;
  #ceiling = Infinity;
  #ceilingMs = -1e9;
  #ceilingHoldMs = ceilingHoldMs;
  #lastCeiling = Infinity;
  #unrelated = false;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: LimitBounds = {}) {
    const { initial, min, max } = limitBounds(options);
    this.#min = min;
    this.#max = max;
    this.#target = initial;
    this.#beforeLoss = initial;
    this.#open('base', initial, 0);
  }

  get limit(): number {
    return this.#phase.limit;
  }

  snapshot(): Readonly<Record<string, number | string>> {
    const { limit, kind } = this.#phase;
    return {
      limit,
      phase: kind,
      mode: this.#mode,
      elasticity: this.#elasticity,
      ratio: this.#ratio(),
      ceiling: this.#ceiling,
    };
  }

  onSample(sample: LimitSample): void {
    checkSample(sample);
    const { nowMs: now, durationMs, held, outcome } = sample;
    if (now < this.#lastMs) this.#clockWentBack(now);
    this.#lastMs = now;
    const phase = this.#phase;
    const lost = outcome === 'overload';
    phase.samples++;
    if (!this.#slotMs) this.#meanMs += (durationMs - this.#meanMs) / ++this.#firstSamples;
    if (lost && now - durationMs >= phase.startedMs) {
      phase.overloads++;
      if (this.#lose(now)) return;
    }
    if (now - durationMs > phase.startedMs) {
      phase.started++;
      if (held >= 0.85 * phase.limit) phase.bound++;
    }
    if (phase.settledMs === undefined) {
      const settleMs = phase.kind === 'drain' ? Math.max(this.#meanMs, 0.75 * this.#slotMs) : this.#meanMs;
      if (now - phase.startedMs >= settleMs) phase.settledMs = now;
    } else {
      phase.counted++;
      if (!lost) {
        phase.successes++;
        phase.durationSum += durationMs;
        phase.squareSum += durationMs * durationMs;
      }
    }
    if (
      this.#slotMs
        ? now >= this.#slotEndMs
        : phase.counted >= minSuccesses || this.#firstSamples >= 2 * minSuccesses
    ) {
      this.#endSlot(now);
    }
  }

  #clockWentBack(now: number): void {
    this.#cutAllowedMs = Math.min(this.#cutAllowedMs, now);
    this.#ceilingMs = Math.min(this.#ceilingMs, now);
    this.#mode = 'steady';
    this.#clearTrial();
    if (this.#slotMs) this.#align(now);
    this.#open('base', this.#target, now);
  }

  #open(kind: Kind, limit: number, now: number): void {
    this.#phase = {
      kind,
      limit: clamp(Math.round(limit), this.#min, this.#max),
      startedMs: now,
      settledMs: undefined,
      counted: 0,
      successes: 0,
      durationSum: 0,
      squareSum: 0,
      overloads: 0,
      samples: 0,
      started: 0,
      bound: 0,
    };
  }

  #align(now: number): void {
    let slotMs = 64;
    while (slotMs < 3 * this.#meanMs) slotMs *= 2;
    this.#slotMs = slotMs;
    this.#slot = Math.floor(now / slotMs);
    this.#slotEndMs = (this.#slot + 1) * slotMs;
  }

  #clearTrial(): void {
    this.#base = { limit: 0, n: 0, ms: 0 };
    this.#probe = { limit: 0, n: 0, ms: 0 };
  }

  #forget(): void {
    this.#variance = 0.2 ** 2;
    this.#riseSum = 0;
    this.#fallSum = 0;
    this.#elasticity = 0.3;
    this.#trials = 0;
    this.#cooldown = 8;
    this.#lnReference = undefined;
    this.#fast = false;
    this.#clearTrial();
    this.#previousBase = undefined;
  }

  #noise = () => Math.max(this.#durationNoise, this.#goodputNoise);
  #need = () => clamp(Math.ceil(64 * this.#goodputNoise), minSuccesses, 256);
  #ratio = () => (this.#drainedMs ? Math.max(1, this.#meanMs / this.#drainedMs) : 1);
  #drainDue = () => this.#slot % this.#drainEvery < 2 && this.#boundShare > 0.5;

  /** At most one cut in two round trips. What was refused is a ceiling for a while; a lost probe only ends the probe. */
  #lose(now: number): boolean {
    const phase = this.#phase;
    if (phase.overloads < 3 || phase.overloads < 0.1 * phase.samples || now < this.#cutAllowedMs)
      return false;
    const again = now - this.#cutAllowedMs < ceilingHoldMs;
    if (!again) {
      const sameLevel =
        Math.abs(Math.log(phase.limit / (this.#lastCeiling === Infinity ? 1e9 : this.#lastCeiling))) < 0.3;
      this.#ceilingHoldMs = sameLevel ? Math.min(60_000, this.#ceilingHoldMs * 2) : ceilingHoldMs;
      this.#unrelated = false;
      this.#beforeLoss = this.#target;
    } else if (this.#ceiling < Infinity && phase.limit < 0.6 * this.#ceiling) this.#unrelated = true;
    if (this.#unrelated) this.#ceiling = phase.kind === 'probe' ? phase.limit : Infinity;
    else this.#ceiling = Math.min(again ? this.#ceiling : Infinity, phase.limit);
    this.#lastCeiling = this.#ceiling;
    this.#cutAllowedMs = now + 2 * this.#meanMs;
    this.#ceilingMs = now;
    if (phase.kind !== 'probe') {
      const kept = clamp(1 - phase.overloads / phase.samples, 0.5, 0.9);
      this.#target = Math.max(this.#min, 0.1 * this.#beforeLoss, Math.min(this.#target, phase.limit) * kept);
    }
    this.#mode = 'steady';
    this.#unproven = false;
    this.#forget();
    this.#fast = this.#target < 0.5 * this.#beforeLoss;
    this.#open('base', this.#target, now);
    return true;
  }

  #endSlot(now: number): void {
    const phase = this.#phase;
    const bound = phase.started >= 4 ? phase.bound / phase.started : 0;
    this.#align(now);
    const ageMs = now - phase.startedMs;
    if (phase.kind === 'drain') {
      if (ageMs > 1.5 * this.#slotMs && phase.successes >= 8) this.#drained(now);
      else if (ageMs < 4 * this.#slotMs) return;
      this.#clearTrial();
      this.#next(now);
      return;
    }
    if (this.#mode === 'search') {
      const idle = phase.started >= 32 && bound < 0.5;
      if (phase.successes < this.#need() && ageMs < 64 * this.#slotMs && !idle) return;
      this.#search(now, bound);
      return;
    }
    const kind = this.#drainDue() ? 'drain' : this.#slot % 4 === 3 ? 'probe' : 'base';
    if (phase.kind === 'base' && kind === 'base') return;
    this.#harvest(now, bound);
    if ((this.#mode as string) === 'steady') this.#next(now);
  }

  #next(now: number): void {
    if (this.#ceiling < Infinity && now > this.#ceilingMs + this.#ceilingHoldMs) {
      this.#ceiling = this.#ceiling > 2 * this.#target ? Infinity : this.#ceiling * 1.3 + 1;
      this.#ceilingMs = now - this.#ceilingHoldMs + 1000;
    }
    if (this.#drainDue()) {
      this.#beforeDrain = this.#lastBase;
      this.#open('drain', Math.max(this.#min, this.#target * Math.min(0.5, 0.75 / this.#ratio())), now);
      return;
    }
    const limit = Math.round(clamp(this.#target, this.#min, this.#max));
    if (this.#slot % 4 === 3 && this.#boundShare > 0.5) {
      const wanted = Math.min(this.#max, Math.max(limit + 1, Math.round(limit * (this.#fast ? 2 : 1.4))));
      const allowed = this.#ceiling < Infinity ? Math.min(this.#ceiling - 1, this.#ceiling * 0.95) : Infinity;
      const probe = Math.min(wanted, Math.floor(allowed));
      if (probe > limit) {
        this.#open('probe', probe, now);
        return;
      }
    }
    this.#open('base', limit, now);
  }

  #point(now: number): Point {
    const { limit, settledMs, successes, durationSum } = this.#phase;
    const ms = Math.max(1e-3, now - (settledMs ?? now));
    return {
      limit,
      lnLimit: Math.log(limit),
      lnGoodput: Math.log(Math.max(successes, 0.5) / ms),
      lnDuration: Math.log(successes ? durationSum / successes : this.#meanMs),
      successes: Math.max(1, successes),
    };
  }

  #learnNoise(): void {
    const { successes, durationSum, squareSum } = this.#phase;
    if (successes < 4) return;
    const mean = durationSum / successes;
    if (successes >= 12) {
      const spread = Math.max(0, squareSum / successes / (mean * mean) - 1);
      this.#durationNoise +=
        0.3 * Math.min(1, successes / 100) * (clamp(spread, 0.04, 4) - this.#durationNoise);
    }
    this.#meanMs += (successes > 60 ? 0.7 : 0.3) * (mean - this.#meanMs);
  }

  #lowerBaseline(): void {
    const { successes, durationSum } = this.#phase;
    const mean = (durationSum / successes) * (1 + Math.sqrt(this.#noise() / successes));
    if (!this.#drainedMs || mean < this.#drainedMs) this.#drainedMs = mean;
  }

  #harvest(now: number, bound: number): void {
    const phase = this.#phase;
    if (phase.settledMs === undefined) return;
    const ms = now - phase.settledMs;
    if (phase.kind === 'base') {
      this.#boundShare = bound;
      this.#learnNoise();
      if (bound < 0.8) {
        this.#hold(bound);
        return;
      }
      const point = this.#point(now);
      if (phase.successes >= 12 && this.#jumped(now, point)) return;
      const before = this.#previousBase;
      if (before && Math.abs(before.lnLimit - point.lnLimit) < 0.06 && phase.successes >= 8) {
        const change = point.lnGoodput - before.lnGoodput;
        const weight = (point.successes * before.successes) / (point.successes + before.successes);
        this.#goodputNoise += 0.15 * (clamp(change * change * weight, 0, 6) - this.#goodputNoise);
      }
      this.#previousBase = point;
      this.#lastBase = point;
      if (this.#base.limit && this.#base.limit !== phase.limit) this.#clearTrial();
      this.#base.limit = phase.limit;
      this.#base.n += phase.successes;
      this.#base.ms += ms;
    } else {
      if (bound < 0.8) {
        this.#clearTrial();
        this.#fast = false;
        if (this.#unproven && this.#lastBase) {
          this.#unproven = false;
          this.#cut(now, this.#lastBase, 0);
        }
        return;
      }
      if (!this.#base.n) return;
      this.#probe.limit = phase.limit;
      this.#probe.n += phase.successes;
      this.#probe.ms += ms;
    }
    this.#judge(now, ms);
  }

  #judge(now: number, ms: number): void {
    const { kind, limit, successes } = this.#phase;
    const base = this.#base;
    const probe = this.#probe;
    const need = this.#fast ? Math.max(minSuccesses, this.#need() / 2) : this.#need();
    if (probe.n < need || base.n < need || kind !== (this.#fast ? 'probe' : 'base')) return;
    const step = Math.log(probe.limit / base.limit);
    const elasticity = Math.log(probe.n / probe.ms / (base.n / base.ms)) / step;
    const error = Math.sqrt(this.#noise() * (1 / probe.n + 1 / base.n)) / step;
    this.#clearTrial();
    if (kind === 'base') this.#base = { limit, n: successes, ms };
    if (this.#fast) this.#leap(now, base.limit, probe.limit, elasticity);
    else this.#move(now, elasticity, error, step);
  }

  /** The limit does not bind: nothing is known of more. Creep only where it binds at times and nothing queues. */
  #hold(bound: number): void {
    const { successes, durationSum } = this.#phase;
    this.#previousBase = undefined;
    this.#lnReference = undefined;
    this.#wasFree = true;
    this.#clearTrial();
    if (successes >= minSuccesses && bound < 0.5) this.#lowerBaseline();
    if (
      bound > 0.15 &&
      successes >= 8 &&
      durationSum / successes < 1.25 * (this.#drainedMs || this.#meanMs)
    ) {
      this.#target = Math.min(this.#max, this.#target + Math.max(0.5, 0.04 * this.#target));
    }
  }

  #leap(now: number, base: number, probe: number, elasticity: number): void {
    if (elasticity >= 0.6 && probe < this.#max) {
      this.#target = probe;
      this.#unproven = false;
      return;
    }
    const first = this.#unproven;
    this.#forget();
    this.#unproven = false;
    if (first && elasticity < 0.15) {
      this.#cut(now, this.#lastBase!, 0);
      return;
    }
    const gain = (first ? 1 : 0.5) * clamp(elasticity, 0, 1) * Math.log(probe / base);
    this.#target = clamp(base * Math.exp(gain), this.#min, this.#max);
  }

  #jumped(now: number, point: Point): boolean {
    if (this.#lnReference === undefined && this.#wasFree && this.#drainedMs) {
      this.#lnReference = Math.log(this.#drainedMs * 1.2);
      this.#lnReferenceLimit = point.lnLimit;
    }
    this.#wasFree = false;
    const reference = this.#lnReference;
    if (reference === undefined || Math.abs(point.lnLimit - this.#lnReferenceLimit) >= 0.1) {
      this.#lnReference = point.lnDuration;
      this.#lnReferenceLimit = point.lnLimit;
      return false;
    }
    const jump = point.lnDuration - reference;
    const score = jump / Math.sqrt((1.3 * this.#noise()) / point.successes);
    if (Math.abs(jump) <= 0.26 || Math.abs(score) <= 4.5) {
      this.#lnReference = reference + 0.3 * jump;
      return false;
    }
    this.#lnReference = undefined;
    if (jump > 0) this.#cut(now, point, jump);
    else this.#variance = Math.max(this.#variance, 0.25 ** 2);
    return jump > 0;
  }

  /** The only honest baseline: durations while the whole fleet holds back. */
  #drained(now: number): void {
    const { limit, successes, durationSum, settledMs } = this.#phase;
    this.#drains.push(durationSum / successes);
    if (this.#drains.length > 2) this.#drains.shift();
    this.#drainedMs = Math.min(...this.#drains);
    this.#lnReference = undefined;
    this.#drainEvery = Math.min(Math.max(64, 16_384 / this.#slotMs), this.#drainEvery * 2);
    const before = this.#beforeDrain;
    if (!before || successes < minSuccesses) return;
    const gain = Math.max(0, before.lnGoodput - Math.log(successes / (now - settledMs!)));
    if (gain / Math.log(before.limit / limit) >= 0.3) return;
    const old = this.#target;
    this.#target = clamp(Math.min(old, 1.2 * limit * Math.exp(gain)), this.#min, this.#max);
    if (this.#target < 0.75 * old) this.#drainEvery = firstDrainEvery;
    this.#variance = Math.max(this.#variance, 0.15 ** 2);
  }

  /** Halve while that costs no goodput; the knee is then the low limit scaled by what goodput was lost. */
  #cut(now: number, from: Point, jump: number): void {
    this.#mode = 'search';
    this.#path = [from];
    this.#jump = jump;
    this.#open('cut', from.limit / 2, now);
  }

  #search(now: number, bound: number): void {
    const point = this.#point(now);
    this.#learnNoise();
    if (bound < 0.8 || this.#phase.successes < 4) {
      this.#target = this.#phase.limit;
      this.#mode = 'steady';
      this.#jump = 0;
      this.#forget();
      this.#wasFree = true;
      this.#boundShare = bound;
      this.#next(now);
      return;
    }
    const before = this.#path.at(-1)!;
    this.#path.push(point);
    const step = point.lnLimit - before.lnLimit;
    if (Math.abs(step) < 0.2) {
      this.#settle(now, 0);
      return;
    }
    const elasticity = (point.lnGoodput - before.lnGoodput) / step;
    if (point.successes >= minSuccesses) this.#lowerBaseline();
    if (elasticity < 0.3 && point.limit > this.#min) {
      this.#open('cut', point.limit / 2, now);
      return;
    }
    this.#settle(now, elasticity);
  }

  #settle(now: number, elasticity: number): void {
    const first = this.#path[0]!;
    let low = first;
    let best = -Infinity;
    let highest = 0;
    for (const point of this.#path) {
      if (point.limit < low.limit) low = point;
      best = Math.max(best, point.lnGoodput);
      highest = Math.max(highest, point.limit);
    }
    this.#target = clamp(low.limit * Math.exp(best - low.lnGoodput), low.limit, highest);
    const once = this.#path.length === 2;
    const exogenous = once && this.#jump !== 0 && elasticity > 0.75;
    if (once && elasticity > 0.45) this.#target = first.limit;
    if (exogenous) {
      this.#drainedMs *= Math.exp(this.#jump);
      this.#drains = [];
    }
    this.#jump = 0;
    this.#unproven = false;
    this.#mode = 'steady';
    this.#forget();
    this.#fast = exogenous;
    this.#boundShare = 1;
    this.#next(now);
  }

  /** A Kalman step of ln(limit); a CUSUM re-opens the gain when the knee has moved. */
  #move(now: number, measured: number, error: number, step: number): void {
    const elasticity = clamp(measured, -1, 2);
    this.#trials++;
    this.#elasticity += Math.max(0.1, 1 / (this.#trials + 2)) * (elasticity - this.#elasticity);
    this.#cooldown--;
    const ratio = this.#ratio();
    const wanted = Math.max(
      0.03 + 0.03 * (ratio - 1),
      Math.min(0.5 / ratio, (Math.max(0, ratio - 1) / 3) ** 4),
    );
    const surprise = (elasticity - wanted) * step;
    const noise = (error * step) ** 2;
    const gain = this.#variance / (this.#variance + noise);
    const score = surprise / Math.sqrt(this.#variance + noise);
    this.#target = clamp(this.#target * Math.exp(gain * surprise), this.#min, this.#max);
    this.#variance = (1 - gain) * this.#variance + 0.03 ** 2;
    this.#riseSum = Math.max(0, this.#riseSum + score - 0.3);
    this.#fallSum = Math.max(0, this.#fallSum - score - 0.3);
    if (this.#trials >= 8 && this.#elasticity < 0.1 && ratio > 1.25)
      this.#target = Math.max(this.#min, this.#target * 0.99);
    if (this.#riseSum > 3.5 || this.#fallSum > 3.5) {
      const rises = this.#riseSum > 3.5;
      this.#riseSum = this.#fallSum = 0;
      this.#variance = Math.max(this.#variance, 0.25 ** 2);
      if (rises && this.#elasticity > 0.5 && ratio < 1.5) {
        this.#fast = true;
        this.#clearTrial();
      }
    }
    if (this.#cooldown <= 0 && this.#trials >= 12 && this.#elasticity < 0.02 && ratio > 1.5) {
      this.#cooldown = 20;
      this.#cut(now, this.#lastBase!, 0);
    }
  }
}
