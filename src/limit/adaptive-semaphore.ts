/**
 * AdaptiveSemaphore: a semaphore that finds its own limit. It times what runs under it and feeds an algorithm,
 * which answers with the limit for whatever comes next.
 *
 * Invariants
 *   AS1  `limit` is always what the algorithm says; lowering it never interrupts a holder.
 *   AS2  Every permit ends with exactly one outcome; 'ignore' gives the permit back and teaches nothing.
 *   AS3  A sample's duration runs from the grant to the end: time spent in our own queue is not the backend's.
 *   and those of Semaphore, of which it is made.
 *
 * Hand-over, Cancel: as Semaphore. A caller who gave up before his turn is no sample.
 * Cost: as Semaphore, and two readings of the clock per permit.
 * One per backend and per class of work: a mix of cheap and dear calls has no single right limit. Not for calls so
 *   rare or so slow that there is nothing to learn from, nor for a limit that is never reached.
 * Lineage: Netflix concurrency-limits, which keeps the number (Limit) apart from its enforcement (Limiter).
 */
import { ignoreRejection, notify, plainAnswer } from '../calling/listeners.js';
import { runAndReport } from '../calling/run-and-release.js';
import { checkFunction, checkObject } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';
import type { Awaitable, Limiter, Permit, WaitOptions } from '../contract/types.js';
import { Semaphore, type SemaphoreStats } from '../locks/semaphore.js';
import { AsyncContext } from '../runtime/async-context.js';
import { channel } from '../runtime/channels.js';
import { now, wallClock } from '../runtime/clock.js';
import { ElasticLimit } from './elastic-limit.js';
import type { LimitAlgorithm, LimitSample, Outcome } from './limit-algorithm.js';

export interface AdaptiveSemaphoreOptions {
  /** What computes the limit; not to be shared between semaphores. Default: a new `ElasticLimit`. */
  algorithm?: LimitAlgorithm | undefined;
  /** How many callers may wait; one more is refused with `QueueFullError` at once. Default: no bound. */
  maxWaiting?: number | undefined;
  /**
   * What the end of a task tells about the backend. It sees values too, for `fetch` does not throw on 503.
   * Default: `classifyOutcome`. A classifier that throws means 'ignore'.
   */
  classify?: ((result: PromiseSettledResult<unknown>) => Outcome) | undefined;
  /** Told after the limit has changed; what it throws is ignored. */
  onLimitChange?: ((change: { from: number; to: number }) => void) | undefined;
}

/** A permit that is told how the work went. Works with `using`: disposing without a release means 'ignore'. */
export interface AdaptivePermit extends Permit {
  /** Default 'success'. Idempotent: a second call changes nothing. */
  release(outcome?: Outcome): void;
}

/** What tells that a backend had too much, by `code`, `status` or `name`. */
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
 * The default classifier. Overload: timeouts, HTTP 429 and 503 (thrown or returned), refused and reset connections,
 * a full pool. Ignored: an `AbortError`, which is the caller's own change of mind. All else did the backend's work.
 */
export function classifyOutcome(result: PromiseSettledResult<unknown>): Outcome {
  checkObject('result', result);
  if (result.status === 'fulfilled') {
    const { status, statusCode } = Object(result.value) as Record<string, unknown>;
    return overloadSigns.has(status) || overloadSigns.has(statusCode) ? 'overload' : 'success';
  }
  let told: unknown = result.reason;
  // `fetch` wraps what the socket said; a chain of causes may be a circle.
  for (let depth = 0; depth < 5 && typeof told === 'object' && told !== null; depth++) {
    const { status, statusCode, code, name, cause } = told as Record<string, unknown>;
    if ([status, statusCode, code, name].some((sign) => overloadSigns.has(sign))) return 'overload';
    if (name === 'AbortError') return 'ignore';
    told = cause;
  }
  return 'success';
}

/** On the channel `latchkey:limit`: an adaptive semaphore has changed its limit. */
export interface LimitMessage {
  readonly source: AdaptiveSemaphore;
  readonly from: number;
  readonly to: number;
}

const limitChanges = channel<LimitMessage>('latchkey:limit');

export class AdaptiveSemaphore implements Limiter {
  readonly #algorithm: LimitAlgorithm;
  readonly #semaphore: Semaphore;
  readonly #classify: (result: PromiseSettledResult<unknown>) => Outcome;
  readonly #onLimitChange: ((change: { from: number; to: number }) => void) | undefined;
  readonly #context = new AsyncContext();

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(options: AdaptiveSemaphoreOptions = {}) {
    checkObject('options', options);
    const { algorithm = new ElasticLimit(), maxWaiting, classify = classifyOutcome, onLimitChange } = options;
    checkObject('algorithm', algorithm);
    checkFunction('algorithm.onSample', algorithm.onSample);
    checkFunction('classify', classify);
    if (onLimitChange !== undefined) checkFunction('onLimitChange', onLimitChange);
    this.#algorithm = algorithm;
    this.#semaphore = new Semaphore(algorithm.limit, { maxWaiting }, this);
    this.#classify = classify;
    this.#onLimitChange = onLimitChange;
  }

  /** How many may run now, as the algorithm has it. */
  get limit(): number {
    return this.#semaphore.limit;
  }

  /** How many run now. */
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
  run<T>(task: () => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction('task', task);
      const permit = options === undefined ? this.#tryAcquire() : undefined;
      if (permit !== undefined) return this.#runWith(permit, task);
    } catch (refused) {
      return Promise.reject(refused);
    }
    return this.#acquire(options).then((permit) => this.#runWith(permit, task));
  }

  /** Waits for a permit, which is to be released with the outcome. Rejects as `run` does. */
  acquire(options?: WaitOptions): Promise<AdaptivePermit> {
    return this.#acquire(options);
  }

  /** The permit if one is free and nobody waits, at once; else `undefined`. @throws ClosedError */
  tryAcquire(): AdaptivePermit | undefined {
    return this.#tryAcquire();
  }

  /** Resolves when nothing is held and nobody waits: at once if that is so now. */
  idle(): Promise<void> {
    return this.#semaphore.idle();
  }

  /** Refuses all who wait and all who come later with `ClosedError`; holders finish. Idempotent. */
  close(): void {
    this.#semaphore.close();
  }

  /** The counts, and what the algorithm tells of itself. */
  stats(): SemaphoreStats & { algorithm: Readonly<Record<string, number | string>> } {
    return { ...this.#semaphore.stats(), algorithm: this.#algorithm.snapshot?.() ?? {} };
  }

  #acquire(options: WaitOptions | undefined): Promise<TimedPermit> {
    return this.#semaphore.acquire(options).then((permit) => this.#timed(permit));
  }

  #tryAcquire(): TimedPermit | undefined {
    const permit = this.#semaphore.tryAcquire();
    return permit && this.#timed(permit);
  }

  #timed(permit: Permit): TimedPermit {
    const { held, limit } = this.#semaphore;
    return new TimedPermit(permit, { held, limit }, this.#learn);
  }

  #runWith<T>(permit: TimedPermit, task: () => Awaitable<T>): Promise<T> {
    const end = (result: PromiseSettledResult<unknown>) => {
      const answer = this.#ask(result);
      permit.release(outcomes.has(answer) ? answer : 'ignore');
      plainAnswer('classify', answer);
    };
    return runAndReport(
      {
        start: () => task(),
        onSuccess: (value) => end({ status: 'fulfilled', value }),
        onFailure: (reason) => end({ status: 'rejected', reason }),
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

  /** An algorithm that throws, or answers with something that is no limit, leaves the limit as it is. */
  readonly #learn = (sample: LimitSample): void => {
    const from = this.#semaphore.limit;
    try {
      ignoreRejection(this.#context.run(() => this.#algorithm.onSample(sample)));
      if (this.#algorithm.limit === from) return;
      this.#semaphore.limit = this.#algorithm.limit;
      const to = this.limit;
      if (limitChanges.hasSubscribers) limitChanges.publish({ source: this, from, to });
      notify(this.#context, this.#onLimitChange, { from, to });
    } catch {
      // Neither the task's result nor its permit may depend on a hook's trouble.
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

  /** For an observer: the permit that holds the place. */
  get observed(): object {
    return this.#permit;
  }

  get released(): boolean {
    return this.#released;
  }

  release(outcome: Outcome = 'success'): void {
    if (this.#released) return;
    // First of all: the algorithm and its listeners may come back here.
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
}
