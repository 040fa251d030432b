/**
 * retry: calls a task again when it fails, after a pause, for as long as that makes sense.
 *
 * Invariants
 *   R1  At most one attempt runs at a time, unless one that timed out ignores its signal.
 *   R2  It settles with what an attempt gave, with the last attempt's own error, or with `signal.reason`.
 *   R3  No attempt starts after an abort, after `totalTimeoutMs`, or after an error with the code ERR_CLOSED.
 *   R4  When it has settled it has left no timer and no listener behind.
 *
 * Cancel: an abort ends a pause at once, aborts the running attempt's signal, and does not wait for a task or a
 *   `shouldRetry` that ignores it. Cost: a task that succeeds at once pays for one call and one derived promise.
 * Composing: retry outside, limiter inside: `retry((context) => limiter.run(call, context))`. The permit is then free
 *   during the pause; the other way round every pause holds one.
 * Not here: circuit breaking. Lineage: Polly's retry strategy; the AWS builders' library on jitter and budgets.
 */

import { decide, directly, notify } from '../calling/listeners.js';
import { withTimeout } from '../calling/with-timeout.js';
import { checkDuration, checkFunction, checkLimit, checkObject, checkSignal } from '../contract/arguments.js';
import { AttemptTimeoutError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { channel } from '../runtime/channels.js';
import { now, setTimer } from '../runtime/clock.js';
import { onAbort } from '../waiting/abort-listeners.js';
import { DeferredError, reveal, withStackFromHere } from '../waiting/deferred-error.js';
import { type Backoff, exponential } from './backoff.js';
import type { RetryBudget } from './retry-budget.js';

export interface AttemptContext {
  /** Counts from 1. */
  readonly attempt: number;
  /** Aborts with the caller's signal, or with `AttemptTimeoutError` when this attempt took too long. */
  readonly signal: AbortSignal;
}

/** What `shouldRetry`, `retryAfterMs` or `backoff` throws ends the retry, which rejects with it. */
export interface RetryOptions {
  /** Attempts in all, the first included. Default 3. */
  attempts?: number | undefined;
  /** Default `exponential()`: 100 ms, doubling up to 10_000 ms, with full jitter. */
  backoff?: Backoff | undefined;
  /** An attempt that takes longer fails with `AttemptTimeoutError`, and is not waited for. Default: no bound. */
  attemptTimeoutMs?: number | undefined;
  /** Attempts, pauses and `shouldRetry` together. A pause that would not fit is not begun. Default: no bound. */
  totalTimeoutMs?: number | undefined;
  /** Whether this error is worth another attempt. Default: every error is. */
  shouldRetry?: ((error: unknown, context: { attempt: number }) => Awaitable<boolean>) | undefined;
  /** What the server asked for, in milliseconds; wins over the backoff. `undefined`: it did not ask. */
  retryAfterMs?: ((error: unknown) => number | undefined) | undefined;
  /** Shared by many calls; a retry it does not allow is not made. */
  budget?: RetryBudget | undefined;
  signal?: AbortSignal | undefined;
  /** Called before each pause. What it throws or rejects with is ignored. */
  onRetry?: ((event: RetryMessage) => void) | undefined;
}

/** On the channel `latchkey:retry`: an attempt has failed, and there will be another one. */
export interface RetryMessage {
  readonly error: unknown;
  readonly attempt: number;
  readonly delayMs: number;
}

const retries = channel<RetryMessage>('latchkey:retry');

type Task<T> = (context: AttemptContext) => Awaitable<T>;

/**
 * Calls `task` until it succeeds, `attempts` times at the most; resolves with its value.
 *
 * Rejects with the last attempt's error untouched; with `signal.reason` after an abort; with `AttemptTimeoutError`
 * when the last attempt took too long.
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

type RetrySettings = ReturnType<typeof retrySettings>;

/** @throws TypeError or RangeError that names the option and the value; `signal.reason` when it is aborted already. */
function retrySettings(options: RetryOptions) {
  checkObject('options', options);
  const {
    attempts = 3,
    backoff = exponential(),
    shouldRetry,
    retryAfterMs,
    budget,
    signal,
    onRetry,
  } = options;
  const { attemptTimeoutMs = Infinity, totalTimeoutMs = Infinity } = options;
  checkLimit('attempts', attempts);
  checkDuration('attemptTimeoutMs', attemptTimeoutMs);
  checkDuration('totalTimeoutMs', totalTimeoutMs);
  for (const [name, hook] of Object.entries({ backoff, shouldRetry, retryAfterMs, onRetry })) {
    if (hook !== undefined) checkFunction(name, hook);
  }
  if (budget !== undefined) {
    checkObject('budget', budget);
    checkFunction('budget.tryWithdraw', budget.tryWithdraw);
    checkFunction('budget.deposit', budget.deposit);
  }
  if (signal !== undefined) {
    checkSignal('signal', signal);
    if (signal.aborted) throw signal.reason;
  }
  const durations = { attemptTimeoutMs, totalTimeoutMs };
  return { attempts, backoff, ...durations, shouldRetry, retryAfterMs, budget, signal, onRetry };
}

const defaults: RetrySettings = retrySettings({});

/** A timer may fire so much early by the monotonic clock: what is left then is no time for an attempt. */
const timerGrainMs = 1;

class Retry<T> {
  readonly #task: Task<T>;
  readonly #settings: RetrySettings;
  readonly #startedMs: number;

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
      // A busy event loop may have made the pause longer than it was meant to be.
      if (!this.#hasTimeAfter(0)) throw error;
      try {
        return await this.#attempt(attempt + 1, error);
      } catch (reason) {
        error = reveal(reason);
      }
    }
  }

  /** How long to pause before the next attempt. @throws the error itself when there is to be none. */
  async #delayAfter(attempt: number, error: unknown, previousMs: number): Promise<number> {
    const { attempts, backoff, budget, onRetry, retryAfterMs, shouldRetry, signal } = this.#settings;
    if (signal?.aborted) throw signal.reason;
    if (attempt >= attempts || isClosed(error) || !this.#hasTimeAfter(0)) throw error;
    if (shouldRetry !== undefined) {
      const ask = async () => shouldRetry(error, { attempt });
      if (!(await this.#bounded(ask, this.#timeoutMs, { expired: () => error }))) throw error;
      if (signal?.aborted) throw signal.reason;
    }
    const askedMs = retryAfterMs && decide(directly, 'retryAfterMs', retryAfterMs, error);
    const delayMs = askedMs ?? decide(directly, 'backoff', backoff, attempt, previousMs, Math.random);
    checkDuration(askedMs === undefined ? 'the backoff' : 'retryAfterMs', delayMs);
    if (!this.#hasTimeAfter(delayMs)) throw error;
    if (budget?.tryWithdraw() === false) throw error;
    notify(directly, onRetry, { error, attempt, delayMs });
    if (retries.hasSubscribers) retries.publish({ error, attempt, delayMs });
    return delayMs;
  }

  get #leftMs(): number {
    const { totalTimeoutMs } = this.#settings;
    return totalTimeoutMs === Infinity ? Infinity : totalTimeoutMs - (now() - this.#startedMs);
  }

  /** Whether a pause of so long leaves time for an attempt. */
  #hasTimeAfter(delayMs: number): boolean {
    return delayMs < this.#leftMs - timerGrainMs;
  }

  /** What is left for whatever begins now, in whole milliseconds: equal durations share a timer. */
  get #timeoutMs(): number {
    return Math.max(0, Math.ceil(this.#leftMs));
  }

  #attempt(attempt: number, previousError: unknown): Promise<T> {
    const { attemptTimeoutMs, signal } = this.#settings;
    const timeoutMs = Math.min(attemptTimeoutMs, this.#timeoutMs);
    if (signal === undefined && timeoutMs === Infinity)
      return call(this.#task, new UnwatchedAttempt(attempt));
    if (signal?.aborted) return Promise.reject(signal.reason);
    const controller = new AbortController();
    const run = () => call(this.#task, { attempt, signal: controller.signal });
    return this.#bounded(run, timeoutMs, {
      aborted: (reason) => controller.abort(reason),
      expired: () => {
        const cause = ownError(previousError);
        const options = cause === undefined ? undefined : { cause };
        const error = new AttemptTimeoutError(attempt, timeoutMs, options);
        controller.abort(error);
        return new DeferredError(() => withStackFromHere(error));
      },
    });
  }

  /** Settles as `work` does, unless an abort or the time ends it before: then nobody waits for the work. */
  #bounded<V>(work: () => Promise<V>, timeoutMs: number, { aborted, expired }: Ends): Promise<V> {
    const { signal } = this.#settings;
    return new Promise<V>((resolve, reject) => {
      let isAborted = false;
      let stop = () => {};
      const subscription =
        signal &&
        onAbort(signal, {
          onAbort: (reason) => {
            isAborted = true;
            stop();
            reject(reason);
            aborted?.(reason);
          },
        });
      const fail = (reason: unknown) => {
        subscription?.leave();
        reject(reason);
      };
      stop = withTimeout(work, timeoutMs, {
        value: (value) => {
          subscription?.leave();
          resolve(value);
        },
        error: fail,
        timeout: () => fail(expired()),
      });
      // The work itself may have aborted the signal.
      if (isAborted) stop();
    });
  }

  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#settings;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = setTimer(() => {
        subscription?.leave();
        resolve();
      }, delayMs);
      const stop = (reason: unknown) => {
        timer.cancel();
        reject(reason);
      };
      const subscription = signal && onAbort(signal, { onAbort: stop });
    });
  }
}

/** What ends a piece of work from outside. */
interface Ends {
  aborted?(reason: unknown): void;
  /** Gives what to reject with. */
  expired(): unknown;
}

/** The context of an attempt that nothing can end: its signal is made only if somebody looks at it. */
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

/** What an attempt last said for itself: a chain of the timeouts since would grow with every attempt. */
function ownError(error: unknown): unknown {
  return error instanceof AttemptTimeoutError ? error.cause : error;
}

function isClosed(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { code?: unknown }).code === 'ERR_CLOSED';
}
