/**
 * AdaptiveSemaphore: a semaphore that finds its own limit. It times the tasks and passes each duration to an algorithm,
 * which computes the limit for the tasks that follow.
 *
 * Invariants
 *   AS1  `limit` is what the algorithm says; lowering it never interrupts a holder. An algorithm or a listener that
 *        throws changes neither the limit nor the task's result.
 *   AS2  Every permit ends with exactly one outcome; 'ignore' gives the permit back without a sample.
 *   AS3  A sample's duration runs from the grant to the end: time spent in our own queue is not the backend's.
 *   AS4  A task that rejects with the reason of its caller's aborted signal is ignored: the caller cut it short.
 *   AS5  During a pause no permit is granted, to waiting callers neither. A shorter pause never shortens a longer one. A pause
 *        has a timer only while a caller waits for its end.
 *   It also keeps the invariants of Semaphore, on which it is built.
 *
 * Hand-over, Cancel: as Semaphore. A caller that gave up before its turn gives no sample.
 * Cost: as Semaphore, and two readings of the clock per permit.
 * Use one per backend and per class of work: a mix of cheap and expensive calls has no single right limit. Do not use it
 *   for calls that are too rare or too slow to learn from, or where callers never reach the limit.
 * Lineage: Netflix concurrency-limits, which separates the number (Limit) from its enforcement (Limiter).
 */
import { ignoreRejection, notify, plainAnswer } from '../calling/listeners.js';
import { runAndReport } from '../calling/run-and-release.js';
import {
  checkFinite,
  checkFunction,
  checkLimit,
  checkObject,
  checkOptions,
  checkReceiver,
  type OptionNames,
} from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import type { Awaitable, Limiter, PartitionedWaitOptions, Permit, WaitOptions } from '../contract/types.js';
import { Semaphore, type SemaphoreOptions, type SemaphoreStats } from '../locks/semaphore.js';
import { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { now, setTimer, type Timer, wallClock } from '../runtime/clock.js';
import { ElasticLimit } from './elastic-limit.js';
import type { LimitAlgorithm, LimitSample, Outcome } from './limit-algorithm.js';

export interface AdaptiveSemaphoreOptions extends SemaphoreOptions {
  /** Computes the limit. Do not share one between semaphores. Default: a new `ElasticLimit`. */
  algorithm?: LimitAlgorithm | undefined;
  /**
   * Decides what the end of a task says about the backend. It receives values as well as errors, because `fetch` does not
   * throw on 503. Default: `classifyOutcome`. A classifier that throws means 'ignore'.
   */
  classify?: ((result: PromiseSettledResult<unknown>) => Outcome) | undefined;
  /** Called after the limit has changed. What it throws or rejects with is ignored. */
  onLimitChange?: ((change: { from: number; to: number }) => void) | undefined;
}

const optionNames: OptionNames<AdaptiveSemaphoreOptions> = {
  algorithm: true,
  maxWaiting: true,
  waitTimeoutMs: true,
  order: true,
  classify: true,
  onLimitChange: true,
};

/** A permit that takes the outcome of the work. Works with `using`: disposing without a release means 'ignore'. */
export interface AdaptivePermit extends Permit {
  /**
   * Gives the permit back, and reports the outcome to the algorithm. Default 'success'. Idempotent: a second call changes
   * nothing. @throws TypeError for an unknown outcome; even then the permit is given back.
   */
  release(outcome?: Outcome): void;
}

/** The values of `code`, `status` or `name` that mean overload. */
const overloadSigns = new Set<unknown>([
  429,
  503,
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ERR_WAIT_TIMEOUT',
  'ERR_QUEUE_FULL',
  'ERR_CONNECT',
  'ERR_ATTEMPT_TIMEOUT',
  'TimeoutError',
]);

/**
 * The default classifier.
 *
 * - 'overload': timeouts, HTTP 429 and 503 (thrown or returned), refused and reset connections, a full pool.
 * - 'ignore': an `AbortError`. The call was cut short, so its duration says nothing.
 * - 'success': everything else, business errors included.
 *
 * A returned value counts as a response only if it has `headers` beside its `status` or `statusCode`, as a `Response` and
 * Node's `IncomingMessage` have: a row with a column named `status` is data.
 *
 * @throws TypeError when `result` is not an object.
 * @example
 * ```ts
 * import { classifyOutcome } from 'latchkey';
 *
 * const busy = new Response('busy', { status: 503 });
 * console.log(classifyOutcome({ status: 'fulfilled', value: busy })); // → overload
 * ```
 */
export function classifyOutcome(result: PromiseSettledResult<unknown>): Outcome {
  checkObject('result', result);
  if (result.status === 'fulfilled') {
    const { headers, status, statusCode } = Object(result.value) as Record<string, unknown>;
    if (typeof headers !== 'object' || headers === null) return 'success';
    return overloadSigns.has(status) || overloadSigns.has(statusCode) ? 'overload' : 'success';
  }
  let error: unknown = result.reason;
  // `fetch` wraps the error of the socket. A chain of causes may be circular.
  for (let depth = 0; depth < 5 && typeof error === 'object' && error !== null; depth++) {
    const { status, statusCode, code, name, cause } = error as Record<string, unknown>;
    if ([status, statusCode, code, name].some((sign) => overloadSigns.has(sign))) return 'overload';
    if (name === 'AbortError') return 'ignore';
    error = cause;
  }
  return 'success';
}

/** Published on the channel `latchkey:limit` after an adaptive semaphore has changed its limit. */
export interface LimitMessage {
  readonly source: AdaptiveSemaphore;
  readonly from: number;
  readonly to: number;
}

const limitChanges = /* @__PURE__ */ channel<LimitMessage>('latchkey:limit');

/**
 * A limiter that measures the tasks it runs and adjusts how many may run at once.
 *
 * @example
 * ```ts
 * import { AdaptiveSemaphore } from 'latchkey';
 *
 * const backend = new AdaptiveSemaphore();
 * const answer = await backend.run(async () => 'a response');
 * console.log(answer, backend.limit, backend.held); // → a response 20 0
 * ```
 */
export class AdaptiveSemaphore implements Limiter {
  readonly #algorithm: LimitAlgorithm;
  readonly #semaphore: Semaphore;
  readonly #classify: (result: PromiseSettledResult<unknown>) => Outcome;
  readonly #onLimitChange: ((change: { from: number; to: number }) => void) | undefined;
  readonly #context = new AsyncContext();
  #limit: number;
  #pausedUntilMs: number | undefined;
  #resumption: Timer | undefined;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: AdaptiveSemaphoreOptions = {}) {
    checkOptions(options, optionNames);
    const { algorithm = new ElasticLimit(), maxWaiting, waitTimeoutMs, onLimitChange } = options;
    const { order, classify = classifyOutcome } = options;
    checkObject('algorithm', algorithm);
    checkFunction('algorithm.onSample', algorithm.onSample);
    checkFunction('classify', classify);
    if (onLimitChange !== undefined) checkFunction('onLimitChange', onLimitChange);
    this.#algorithm = algorithm;
    // A semaphore may be paused; an algorithm whose limit is 0 would never see another sample.
    const { limit } = algorithm;
    checkLimit('algorithm.limit', limit);
    this.#limit = limit;
    this.#semaphore = new Semaphore(limit, { maxWaiting, waitTimeoutMs, order }, this);
    this.#classify = classify;
    this.#onLimitChange = onLimitChange;
  }

  /** How many permits may be held, as the algorithm says; a pause does not change it. */
  get limit(): number {
    return this.#limit;
  }

  /** How many permits are held now. */
  get held(): number {
    return this.#semaphore.held;
  }

  /** How many callers wait now. */
  get waiting(): number {
    return this.#semaphore.waiting;
  }

  /**
   * Runs `task` with a permit, times it and classifies how it ended; settles as the task does, its error untouched.
   *
   * Rejects, and never starts the task, with `signal.reason`, `WaitTimeoutError`, `QueueFullError` or `ClosedError`.
   */
  run<T>(task: () => Awaitable<T>, options?: PartitionedWaitOptions): Promise<T> {
    try {
      checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
      checkFunction('task', task);
      const permit = options === undefined ? this.#tryAcquire() : undefined;
      if (permit !== undefined) return this.#runWith(permit, task, undefined);
    } catch (refused) {
      return Promise.reject(refused);
    }
    return this.#acquire(options).then((permit) => this.#runWith(permit, task, options?.signal));
  }

  /** Waits for a permit. Release it with the outcome of the work. Rejects as `run` does. */
  acquire(options?: PartitionedWaitOptions): Promise<AdaptivePermit> {
    try {
      checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
      return this.#acquire(options);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** The permit if one is free and nobody waits, at once; else `undefined`. @throws ClosedError */
  tryAcquire(): AdaptivePermit | undefined {
    checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
    return this.#tryAcquire();
  }

  /**
   * Grants no permit for `ms` milliseconds, also to callers that wait already; holders go on. A shorter pause never shortens a
   * longer one. For a backend that answers 429 with `Retry-After`: one answer holds every caller back.
   * @throws TypeError or RangeError when `ms` is not a finite number of at least 0.
   */
  pauseFor(ms: number): void {
    checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
    checkFinite('ms', ms);
    const untilMs = now() + ms;
    if (ms === 0 || untilMs <= (this.#pausedUntilMs ?? -Infinity)) return;
    this.#pausedUntilMs = untilMs;
    this.#semaphore.limit = 0;
    this.#resumption?.cancel();
    this.#resumption = undefined;
    this.#armResumption();
  }

  /** Resolves when nothing is held and nobody waits: at once if that is so now. The options are those of a wait. */
  idle(options?: WaitOptions): Promise<void> {
    try {
      checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
      return this.#semaphore.idle(options);
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Rejects all waiters with `reason`, and stays open. Default: an `AbortError`, as a signal gives. */
  refuseWaiting(reason?: unknown): void {
    checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
    this.#semaphore.refuseWaiting(reason);
  }

  /** Refuses all waiters and all later callers with a `ClosedError`; holders finish. Idempotent. */
  close(): void {
    checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
    this.#resumption?.cancel();
    this.#semaphore.close();
  }

  /** The counts, whether it is paused, and the internal figures of the algorithm. */
  stats(): SemaphoreStats & { paused: boolean; algorithm: Readonly<Record<string, number | string>> } {
    checkReceiver('AdaptiveSemaphore', this, AdaptiveSemaphore);
    this.#resumeIfDue();
    const algorithm = this.#algorithm.snapshot?.() ?? {};
    const paused = this.#pausedUntilMs !== undefined;
    return { ...this.#semaphore.stats(), limit: this.#limit, paused, algorithm };
  }

  #armResumption(): void {
    if (this.#pausedUntilMs === undefined || this.#resumption !== undefined || this.waiting === 0) return;
    const delayMs = Math.ceil(this.#pausedUntilMs - now());
    this.#resumption = this.#context.run(() => setTimer(this.#resume, delayMs));
  }

  readonly #resume = (): void => {
    this.#resumption?.cancel();
    this.#resumption = undefined;
    this.#pausedUntilMs = undefined;
    this.#semaphore.limit = this.#limit;
  };

  #resumeIfDue(): void {
    if (this.#pausedUntilMs !== undefined && now() >= this.#pausedUntilMs) this.#resume();
  }

  #acquire(options: PartitionedWaitOptions | undefined): Promise<TimedPermit> {
    this.#resumeIfDue();
    const permit = this.#semaphore.acquire(options);
    this.#armResumption();
    return permit.then((granted) => this.#timed(granted), this.#onRefusal);
  }

  /** AS5: the timer would keep the process alive although nobody waits. */
  readonly #onRefusal = (reason: unknown): never => {
    if (this.waiting === 0) {
      this.#resumption?.cancel();
      this.#resumption = undefined;
    }
    throw reason;
  };

  #tryAcquire(): TimedPermit | undefined {
    this.#resumeIfDue();
    const permit = this.#semaphore.tryAcquire();
    return permit && this.#timed(permit);
  }

  #timed(permit: Permit): TimedPermit {
    const atGrant = { held: this.#semaphore.held, limit: this.#limit };
    return new TimedPermit(permit, atGrant, this.#learn);
  }

  #runWith<T>(permit: TimedPermit, task: () => Awaitable<T>, signal: AbortSignal | undefined): Promise<T> {
    const end = (result: PromiseSettledResult<unknown>) => {
      const answer = this.#ask(result);
      permit.release(outcomes.has(answer) ? answer : 'ignore');
      plainAnswer('classify', answer);
    };
    return runAndReport(
      {
        start: () => task(),
        onSuccess: (value) => end({ status: 'fulfilled', value }),
        onFailure: (reason) => {
          // AS4
          if (signal?.aborted && signal.reason === reason) permit.release('ignore');
          else end({ status: 'rejected', reason });
        },
      },
      task,
      permit.observed,
    );
  }

  #ask(result: PromiseSettledResult<unknown>): Outcome {
    try {
      return this.#context.run(this.#classify, result);
    } catch {
      return 'ignore';
    }
  }

  /** AS1: an algorithm that throws, or whose limit is not a limit, leaves the limit as it is. */
  readonly #learn = (sample: LimitSample): void => {
    const from = this.#limit;
    try {
      ignoreRejection(this.#context.run(() => this.#algorithm.onSample(sample)));
      const { limit: to } = this.#algorithm;
      if (to === from) return;
      checkLimit('algorithm.limit', to);
      this.#limit = to;
      if (this.#pausedUntilMs === undefined) this.#semaphore.limit = to;
      if (limitChanges.hasSubscribers) limitChanges.publish({ source: this, from, to });
      notify(this.#context, this.#onLimitChange, { from, to });
    } catch {
      // AS1
    }
  };
}

const outcomes = new Set<unknown>(['success', 'overload', 'ignore'] satisfies Outcome[]);

class TimedPermit implements AdaptivePermit {
  readonly #permit: Permit;
  readonly #atGrant: { held: number; limit: number };
  readonly #learn: (sample: LimitSample) => void;
  readonly #grantedMs = now();
  #released = false;

  constructor(
    permit: Permit,
    atGrant: { held: number; limit: number },
    learn: (sample: LimitSample) => void,
  ) {
    this.#permit = permit;
    this.#atGrant = atGrant;
    this.#learn = learn;
  }

  /** The permit of the inner semaphore, which an observer knows. */
  get observed(): object {
    return this.#permit;
  }

  get released(): boolean {
    return this.#released;
  }

  release(outcome: Outcome = 'success'): void {
    if (this.#released) return;
    // First, because the algorithm or a listener may release it again (AS2).
    this.#released = true;
    if (outcome === 'success' || outcome === 'overload') {
      const durationMs = now() - this.#grantedMs;
      this.#learn({ nowMs: wallClock(), durationMs, ...this.#atGrant, outcome });
    }
    this.#permit.release();
    if (!outcomes.has(outcome)) {
      throw new TypeError(`outcome must be 'success', 'overload' or 'ignore', got ${printable(outcome)}`);
    }
  }

  [Symbol.dispose](): void {
    this.release('ignore');
  }

  toJSON(): object {
    return { released: this.#released };
  }

  get [Symbol.toStringTag](): string {
    return this.#released ? 'released' : 'held';
  }
}
