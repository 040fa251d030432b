/**
 * retry: calls a task again when it fails, after a pause.
 *
 * Invariants
 *   R1  At most one attempt runs at a time, unless one that timed out ignores its signal.
 *   R2  It settles with the value of an attempt, with the last attempt's own error, or with `signal.reason`.
 *   R3  No attempt starts after an abort, after `totalTimeoutMs`, or after an error with the code ERR_CLOSED.
 *   R4  When it has settled it has left no listener behind, and no timer that keeps the process alive.
 *   R5  An abort is final only if it is one of the caller's `signal`. An `AbortError` from elsewhere is retried like any error.
 *   R6  The task's own error carries the caller's async stack, with a signal and timeouts as without.
 *   R7  A pause that a server asks for is never shortened. Above `maxRetryAfterMs` the error is rethrown instead.
 *
 * Hand-over: the next attempt starts in the turn in which the pause ends.
 * Cancel: an abort ends a pause at once, aborts the running attempt's signal, and does not wait for a task or a
 *   `shouldRetry` that ignores it. Cost: a task that succeeds at once costs one call and one derived promise.
 * Composing: retry outside, limiter inside: `retry((context) => limiter.run(call, context))`. The permit is then free
 *   during the pause; in the other order every pause holds a permit.
 * Not here: circuit breaking. Lineage: Polly's retry strategy; the AWS builders' library on jitter and budgets.
 */

import { decide, directly, notify } from '../calling/listeners.js';
import {
  checkDuration,
  checkFunction,
  checkLimit,
  checkObject,
  checkOptions,
  checkSignal,
  type OptionNames,
} from '../contract/arguments.js';
import { AttemptTimeoutError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { channel } from '../runtime/channels.js';
import { now, setTimer, type Timer, timerGrainMs } from '../runtime/clock.js';
import { type Abortable, abortReason, onAbort, throwIfAborted } from '../waiting/abort-listeners.js';
import { type Expirable, onDeadline } from '../waiting/deadlines.js';
import { DeferredError, reveal, withStackFromHere } from '../waiting/deferred-error.js';
import type { Link } from '../waiting/linked-list.js';
import type { Place } from '../waiting/place-queue.js';
import { type Backoff, exponential } from './backoff.js';
import type { RetryBudget } from './retry-budget.js';

/** What a task receives with each attempt. */
export interface AttemptContext {
  /** The number of the attempt; counts from 1. */
  readonly attempt: number;
  /** Aborts with the caller's signal, or with `AttemptTimeoutError` when this attempt took too long. */
  readonly signal: AbortSignal;
}

/** What `shouldRetry`, `retryAfterMs` or `backoff` throws ends the retry, which rejects with it. */
export interface RetryOptions {
  /** The most attempts, the first included; `Infinity` is allowed. Default 3. */
  attempts?: number | undefined;
  /** Default `exponential()`: 100 ms, doubling up to 10_000 ms, with full jitter. */
  backoff?: Backoff | undefined;
  /** Milliseconds. An attempt that takes longer fails with `AttemptTimeoutError`, and is not waited for. Default: no bound. */
  attemptTimeoutMs?: number | undefined;
  /** Milliseconds for attempts, pauses and `shouldRetry` together. A pause that would not fit is not begun. Default: no bound. */
  totalTimeoutMs?: number | undefined;
  /** Whether this error is worth another attempt. Default: every error is. */
  shouldRetry?: ((error: unknown, context: { attempt: number }) => Awaitable<boolean>) | undefined;
  /**
   * The pause that the server asked for, in milliseconds; `undefined` if it asked for none. It wins over the backoff, and up
   * to a tenth is added at random, so that callers that got the same answer do not come back together.
   */
  retryAfterMs?: ((error: unknown) => number | undefined) | undefined;
  /** If the server asks for a longer pause, in milliseconds, the error is rethrown at once. Default 60_000. */
  maxRetryAfterMs?: number | undefined;
  /** Shared by many calls; a retry that it does not allow is not made. */
  budget?: RetryBudget | undefined;
  /** Ends the retry; it rejects with `signal.reason` itself. */
  signal?: AbortSignal | undefined;
  /** Called before each pause. What it throws or rejects with is ignored. */
  onRetry?: ((event: RetryMessage) => void) | undefined;
}

const optionNames: OptionNames<RetryOptions> = {
  attempts: true,
  backoff: true,
  attemptTimeoutMs: true,
  totalTimeoutMs: true,
  shouldRetry: true,
  retryAfterMs: true,
  maxRetryAfterMs: true,
  budget: true,
  signal: true,
  onRetry: true,
};

/**
 * An attempt has failed, and there will be another one. Passed to `onRetry`, and published on the channel `latchkey:retry`,
 * where `error` is an `ErrorFacts`: the error itself may hold anything.
 */
export interface RetryMessage {
  readonly error: unknown;
  /** The number of the attempt that failed. */
  readonly attempt: number;
  /** The pause before the next attempt, in milliseconds. */
  readonly delayMs: number;
}

const retries = /* @__PURE__ */ channel<RetryMessage>('latchkey:retry');

type Task<T> = (context: AttemptContext) => Awaitable<T>;

/**
 * Calls `task` until it succeeds, at most `attempts` times; resolves with its value.
 *
 * Rejects with the last attempt's error untouched; with `signal.reason` after an abort; with `AttemptTimeoutError`
 * when the last attempt took too long. An abort ends a pause at once, and aborts the signal of the running attempt.
 *
 * @example
 * ```ts
 * import { retry } from 'latchkey';
 *
 * const flaky = async ({ attempt }: { attempt: number }) => {
 *   if (attempt < 3) throw new Error('try again');
 *   return `attempt ${attempt}`;
 * };
 * const value = await retry(flaky, { attempts: 5, backoff: () => 1 });
 * console.log(value); // → attempt 3
 * ```
 */
export function retry<T>(task: Task<T>, options?: RetryOptions): Promise<T> {
  try {
    checkFunction('task', task);
    const settings = options === undefined ? defaults : retrySettings(options);
    settings.budget?.deposit();
    return new Retry(task, settings).run();
  } catch (refused) {
    return Promise.reject(refused);
  }
}

const defaultBackoff = /* @__PURE__ */ exponential();

type RetrySettings = ReturnType<typeof retrySettings>;

/** @throws TypeError or RangeError that names the option and the value; `signal.reason` when it is aborted already. */
function retrySettings(options: RetryOptions) {
  checkOptions(options, optionNames);
  const {
    attempts = 3,
    backoff = defaultBackoff,
    shouldRetry,
    retryAfterMs,
    budget,
    signal,
    onRetry,
  } = options;
  const { attemptTimeoutMs = Infinity, totalTimeoutMs = Infinity, maxRetryAfterMs = 60_000 } = options;
  checkLimit('attempts', attempts);
  checkDuration('attemptTimeoutMs', attemptTimeoutMs);
  checkDuration('totalTimeoutMs', totalTimeoutMs);
  checkDuration('maxRetryAfterMs', maxRetryAfterMs);
  checkFunction('backoff', backoff);
  if (shouldRetry !== undefined) checkFunction('shouldRetry', shouldRetry);
  if (retryAfterMs !== undefined) checkFunction('retryAfterMs', retryAfterMs);
  if (onRetry !== undefined) checkFunction('onRetry', onRetry);
  if (budget !== undefined) {
    checkObject('budget', budget);
    checkFunction('budget.tryWithdraw', budget.tryWithdraw);
    checkFunction('budget.deposit', budget.deposit);
  }
  if (signal !== undefined) {
    checkSignal('signal', signal);
    throwIfAborted(signal);
  }
  return {
    attempts,
    backoff,
    attemptTimeoutMs,
    totalTimeoutMs,
    maxRetryAfterMs,
    shouldRetry,
    retryAfterMs,
    budget,
    signal,
    onRetry,
  };
}

const defaults: RetrySettings = /* @__PURE__ */ retrySettings({});

/** The share of a pause that a server asked for, 0 to 1, that is added at random. */
const retryAfterJitter = 0.1;

class Retry<T> {
  readonly #task: Task<T>;
  readonly #settings: RetrySettings;
  #startedMs: number;

  constructor(task: Task<T>, settings: RetrySettings) {
    this.#task = task;
    this.#settings = settings;
    this.#startedMs = settings.totalTimeoutMs === Infinity ? 0 : now();
  }

  run(): Promise<T> {
    return this.#attempt(1, undefined).then(undefined, (reason) => this.#recover(reveal(reason)));
  }

  /** A loop, not a recursion: a chain of promises would grow with every attempt. */
  async #recover(firstError: unknown): Promise<T> {
    let error = firstError;
    let delayMs = 0;
    for (let attempt = 1; ; attempt++) {
      delayMs = await this.#delayAfter(attempt, error, delayMs);
      await this.#pause(delayMs);
      // A blocked event loop may have made the pause longer.
      if (!this.#hasTimeAfter(0)) throw error;
      try {
        return await this.#attempt(attempt + 1, error);
      } catch (reason) {
        error = reveal(reason);
      }
    }
  }

  /** How long to pause before the next attempt. @throws the error itself when no attempt follows. */
  async #delayAfter(attempt: number, error: unknown, previousMs: number): Promise<number> {
    const { attempts, backoff, budget, onRetry, shouldRetry, signal } = this.#settings;
    throwIfAborted(signal);
    if (attempt >= attempts || isClosed(error) || !this.#hasTimeAfter(0)) throw error;
    if (shouldRetry !== undefined) {
      const ask = async () => shouldRetry(error, { attempt });
      if (!(await this.#bounded(ask, this.#timeoutMs, { expired: () => error }))) throw error;
      throwIfAborted(signal);
    }
    const delayMs =
      this.#askedMs(error) ?? decide(directly, 'backoff', backoff, attempt, previousMs, Math.random);
    checkDuration('the backoff', delayMs);
    if (!this.#hasTimeAfter(delayMs)) throw error;
    if (budget?.tryWithdraw() === false) throw error;
    notify(directly, onRetry, { error, attempt, delayMs });
    if (retries.hasSubscribers) retries.publish({ error, attempt, delayMs });
    return delayMs;
  }

  /** The pause that the server asked for, if it did, and a little more (R7). @throws the error when it is too long. */
  #askedMs(error: unknown): number | undefined {
    const { maxRetryAfterMs, retryAfterMs } = this.#settings;
    const askedMs = retryAfterMs && decide(directly, 'retryAfterMs', retryAfterMs, error);
    if (askedMs === undefined) return undefined;
    checkDuration('retryAfterMs', askedMs);
    if (askedMs > maxRetryAfterMs) throw error;
    return askedMs * (1 + retryAfterJitter * Math.random());
  }

  get #leftMs(): number {
    const { totalTimeoutMs } = this.#settings;
    return totalTimeoutMs === Infinity ? Infinity : totalTimeoutMs - (now() - this.#startedMs);
  }

  /** A timer of that length has fired, so that long has passed, whatever the clock says: fake timers often do not replace it. */
  #passed(durationMs: number, sinceMs: number): void {
    this.#startedMs -= Math.max(0, durationMs - (now() - sinceMs));
  }

  /** Whether a pause of `delayMs` leaves time for an attempt. None is started in the remainder by which timers fire early. */
  #hasTimeAfter(delayMs: number): boolean {
    return delayMs < this.#leftMs - timerGrainMs;
  }

  /** The time that is left, in whole milliseconds, because equal durations share a timer. */
  get #timeoutMs(): number {
    return Math.max(0, Math.ceil(this.#leftMs));
  }

  #attempt(attempt: number, previousError: unknown): Promise<T> {
    const { attemptTimeoutMs, signal } = this.#settings;
    const timeoutMs = Math.min(attemptTimeoutMs, this.#timeoutMs);
    if (signal === undefined && timeoutMs === Infinity)
      return call(this.#task, new UnwatchedAttempt(attempt));
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const controller = new AbortController();
    const run = () => call(this.#task, { attempt, signal: controller.signal });
    return this.#bounded(run, timeoutMs, {
      aborted: (reason) => controller.abort(reason),
      expired: (sinceMs) => {
        this.#passed(timeoutMs, sinceMs);
        const cause = ownError(previousError);
        const options = cause === undefined ? undefined : { cause };
        const error = new AttemptTimeoutError(attempt, timeoutMs, options);
        controller.abort(error);
        return new DeferredError(() => withStackFromHere(error));
      },
    });
  }

  /** Settles as `work` does, unless an abort or the timeout comes first: then the work is not waited for. */
  #bounded<V>(work: () => Promise<V>, timeoutMs: number, ends: Ends): Promise<V> {
    return new Promise<V>((resolve, reject) => {
      const bounds = new Bounds(this.#settings.signal, timeoutMs, ends, reject);
      // R6: a stack is found by following promises, so the work settles this one directly.
      work().then(resolve, reject).then(bounds.leave);
    });
  }

  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#settings;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortReason(signal));
        return;
      }
      let timer: Timer | undefined;
      const stop = (reason: unknown) => {
        timer?.cancel();
        reject(reason);
      };
      // Before the timer: a signal that cannot be listened to must not leave one.
      const subscription = signal && onAbort(signal, { onAbort: stop });
      const sinceMs = now();
      timer = setTimer(() => {
        this.#passed(delayMs, sinceMs);
        subscription?.leave();
        resolve();
      }, delayMs);
    });
  }
}

/** The signal and the timeout that bound some work. The first of them that ends it takes the other one away. */
class Bounds implements Abortable, Expirable {
  readonly #ends: Ends;
  readonly #reject: (reason: unknown) => void;
  readonly #subscription: Link<Abortable> | undefined;
  readonly #deadline: Place<Expirable> | undefined;
  sinceMs = 0;

  constructor(
    signal: AbortSignal | undefined,
    timeoutMs: number,
    ends: Ends,
    reject: (reason: unknown) => void,
  ) {
    this.#ends = ends;
    this.#reject = reject;
    this.#subscription = signal && onAbort(signal, this);
    this.#deadline = timeoutMs === Infinity ? undefined : onDeadline(timeoutMs, this);
  }

  readonly leave = (): void => {
    this.#subscription?.leave();
    this.#deadline?.leave();
  };

  onAbort(reason: unknown): void {
    this.leave();
    this.#reject(reason);
    this.#ends.aborted?.(reason);
  }

  onExpire(): void {
    this.leave();
    this.#reject(this.#ends.expired(this.sinceMs));
  }
}

/** What ends the work from outside. */
interface Ends {
  aborted?(reason: unknown): void;
  /** Returns the error to reject with. `sinceMs`: when the work began, in monotonic milliseconds. */
  expired(sinceMs: number): unknown;
}

/** The context of an attempt that nothing can end. Its signal is made only when it is read. */
class UnwatchedAttempt implements AttemptContext {
  readonly attempt: number;
  #signal: AbortSignal | undefined;

  constructor(attempt: number) {
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }
}

function call<T>(task: Task<T>, context: AttemptContext): Promise<T> {
  try {
    return Promise.resolve(task(context));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The last error that was not an attempt timeout. Chaining every timeout as `cause` would grow without bound. */
function ownError(error: unknown): unknown {
  return error instanceof AttemptTimeoutError ? error.cause : error;
}

function isClosed(error: unknown): boolean {
  try {
    return Object(error).code === 'ERR_CLOSED';
  } catch {
    // A getter that throws. The error is the task's, and passes through untouched.
    return false;
  }
}
