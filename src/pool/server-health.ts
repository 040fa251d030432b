/**
 * What is known of the server of a key: whether it answers, and how long to wait after a failure before the next dial.
 * The backoff doubles from 50 ms to 5 s. Half of it is random, so that many processes do not return at the same moment.
 */
import { now, type Timer } from '../runtime/clock.js';
import { type Failures, longestBackoffMs } from './failure-memory.js';

export const firstBackoffMs = 50;

export class ServerHealth {
  /** Nothing is known yet, it answered last, or it failed or hung last. */
  trust: 'unknown' | 'answers' | 'doubtful' = 'unknown';
  answeredMs = -Infinity;
  /** Failures in a row. While there are any, one dial per backoff probes. */
  failures = 0;
  lastError: unknown = undefined;
  backoffMs = 0;
  retryAtMs = 0;
  triedMs = -Infinity;
  /** Armed while a waiter, or in the background `minIdle`, waits for `retryAtMs`. */
  retry: { readonly dueMs: number; readonly timer: Timer; readonly background: boolean } | undefined;

  /** It answered: a connection arrived, a check passed, or a lease ended well. */
  onAnswer(nowMs: number): void {
    this.trust = 'answers';
    this.answeredMs = nowMs;
  }

  /** A dial starts; `connecting` dials are under way, this one included. */
  onDial(nowMs: number, connecting: number): void {
    this.triedMs = nowMs;
    if (this.failures > 0) this.#backOff(this.failures + connecting, nowMs);
  }

  /** A dial was interrupted after it had hung for some time. */
  doubt(nowMs: number): void {
    this.trust = 'doubtful';
    this.triedMs = nowMs;
  }

  /** Counts a failure, once for all dials that began together. Returns the time until the next dial. */
  countFailure(failuresBefore: number, error: unknown): number {
    const nowMs = now();
    this.lastError = error;
    this.doubt(nowMs);
    if (this.failures <= failuresBefore) {
      this.failures = failuresBefore + 1;
      this.#backOff(this.failures, nowMs);
    }
    return Math.max(0, this.retryAtMs - nowMs);
  }

  #backOff(step: number, nowMs: number): void {
    const longestMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (step - 1));
    this.backoffMs = (longestMs / 2) * (1 + Math.random());
    this.retryAtMs = nowMs + this.backoffMs;
  }

  /** A connection arrived after failures: until it has proved itself, the next dial waits a little. */
  onProbation(nowMs: number): void {
    if (this.failures > 0) this.retryAtMs = nowMs + firstBackoffMs;
  }

  /** Whether the backoff of the last failure is not over yet. */
  get backsOff(): boolean {
    return this.failures > 0 && now() < this.retryAtMs;
  }

  forgetFailures(): void {
    this.failures = 0;
    this.lastError = undefined;
    this.backoffMs = 0;
    this.retryAtMs = 0;
    this.endRetry();
  }

  endRetry(): void {
    this.retry?.timer.cancel();
    this.retry = undefined;
  }

  /** What the same id knew before its key was forgotten. */
  restore(known: Failures): void {
    Object.assign(this, known);
    this.trust = 'doubtful';
  }

  toRemember(): Failures {
    const { failures, lastError, backoffMs, retryAtMs, triedMs } = this;
    return { failures, lastError, backoffMs, retryAtMs, triedMs };
  }

  /** The server may be another one: what failed may work again. */
  startAgain(): void {
    this.trust = 'unknown';
    this.forgetFailures();
  }
}
