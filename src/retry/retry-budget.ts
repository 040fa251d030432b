/**
 * RetryBudget: keeps retries a share of the calls, over all callers who share it. When a backend is down, every
 * caller retrying three times quadruples its load; with a budget of 10 % it grows by 10 %.
 *
 * A token bucket: a call deposits `ratio` tokens, time deposits `minPerSecond`, a retry withdraws one. What it holds
 * is bounded, so that a quiet hour does not buy a storm. Cost: a few additions, no timer.
 * Lineage: Finagle's RetryBudget; gRPC's retry throttling.
 */
import { checkFinite, checkObject } from '../contract/arguments.js';
import { now } from '../runtime/clock.js';

const secondsKept = 10;
const callsKept = 100;
/** Ten deposits of 0.1 make a little less than 1. */
const roundingError = 1e-9;

export interface RetryBudgetOptions {
  /** Retries per call, in the long run: 0.1 allows one retry for ten calls. Default 0.1. */
  ratio?: number | undefined;
  /** Retries per second that are always allowed, for callers too rare to earn any. Default 1. */
  minPerSecond?: number | undefined;
}

export class RetryBudget {
  readonly #ratio: number;
  readonly #minPerSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAtMs = now();

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: RetryBudgetOptions = {}) {
    checkObject('options', options);
    const { ratio = 0.1, minPerSecond = 1 } = options;
    checkFinite('ratio', ratio);
    checkFinite('minPerSecond', minPerSecond);
    this.#ratio = ratio;
    this.#minPerSecond = minPerSecond;
    this.#capacity = minPerSecond * secondsKept + Math.max(1, ratio * callsKept);
    this.#tokens = minPerSecond * secondsKept;
  }

  /** A call was made, its retries not counted. */
  deposit(): void {
    this.#fill(this.#ratio);
  }

  /** Whether a retry may be made; if so, it is paid for. */
  tryWithdraw(): boolean {
    const nowMs = now();
    this.#fill(((nowMs - this.#filledAtMs) / 1000) * this.#minPerSecond);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1 - roundingError) return false;
    this.#tokens--;
    return true;
  }

  #fill(tokens: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + tokens);
  }
}
