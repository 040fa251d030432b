/**
 * RetryBudget: limits retries to a share of the calls, over all callers that share it. When a backend is down and every
 * caller tries four times, its load grows to four times; with a budget of 10 % it grows by 10 %.
 *
 * A token bucket: a call deposits `ratio` tokens, each second deposits `minPerSecond`, a retry withdraws 1.
 *
 * Invariants
 *   RB1  A retry is allowed exactly while at least 1 token is there.
 *   RB2  The bucket is bounded (10 seconds and 100 calls of deposits, at least 1 call), so a quiet hour cannot fund a burst.
 *   RB3  Elapsed time is never negative: a clock that steps back takes no tokens.
 *
 * Hand-over, Cancel: none. Cost: a few additions, no timer. Not here: a limit per key; use one budget per backend.
 * Lineage: Finagle's RetryBudget; gRPC's retry throttling.
 */
import { checkFinite, checkOptions, type OptionNames } from '../contract/arguments.js';
import { now } from '../runtime/clock.js';

const secondsKept = 10;
const callsKept = 100;
/** In floating point, ten deposits of 0.1 make a little less than 1. */
const roundingError = 1e-9;

export interface RetryBudgetOptions {
  /** Retries per call, in the long run: 0.1 allows one retry per ten calls. Default 0.1. */
  ratio?: number | undefined;
  /** Retries per second that are always allowed, for callers whose calls are too rare to earn one. Default 1. */
  minPerSecond?: number | undefined;
}

const optionNames: OptionNames<RetryBudgetOptions> = { ratio: true, minPerSecond: true };

/**
 * Limits retries to a share of all calls. Share one between the callers of one backend, as `retry(task, { budget })`.
 *
 * @example
 * ```ts
 * import { RetryBudget, retry } from 'latchkey';
 *
 * const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 0 });
 * let attempts = 0;
 * const failing = () => {
 *   attempts++;
 *   throw new Error('down');
 * };
 * for (let call = 0; call < 20; call++) await retry(failing, { budget, backoff: () => 0 }).catch(() => {});
 * console.log(attempts); // → 22
 * ```
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #minPerSecond: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAtMs = now();

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: RetryBudgetOptions = {}) {
    checkOptions(options, optionNames);
    const { ratio = 0.1, minPerSecond = 1 } = options;
    checkFinite('ratio', ratio);
    checkFinite('minPerSecond', minPerSecond);
    this.#ratio = ratio;
    this.#minPerSecond = minPerSecond;
    this.#capacity = minPerSecond * secondsKept + Math.max(1, ratio * callsKept);
    this.#tokens = minPerSecond * secondsKept;
  }

  /** Reports a call: once per call, not per attempt. */
  deposit(): void {
    this.#fill(this.#ratio);
  }

  /** Withdraws 1 token for a retry. Returns false when there is none, and the retry must not be made. */
  tryWithdraw(): boolean {
    const nowMs = now();
    const elapsedMs = Math.max(0, nowMs - this.#filledAtMs);
    this.#fill((elapsedMs / 1000) * this.#minPerSecond);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1 - roundingError) return false;
    this.#tokens--;
    return true;
  }

  #fill(tokens: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + tokens);
  }
}
