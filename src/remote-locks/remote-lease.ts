/**
 * RemoteLease: one grant of a key by a database, and how long it is certain to last.
 *
 * Invariants
 *   RL1  It counts as held until its deadline: the time just before the last successful command was sent, plus the time to
 *        live, minus a margin. No answer, a late answer and a lost answer are the same: the deadline decides.
 *   RL2  It is lost at once when the database says that the key is not this owner's, or when its session has ended.
 *   RL3  Losing it aborts `signal`, exactly once, with a LeaseLostError. A release is never a loss.
 *   RL4  `release` never throws, and takes no longer than the lease would have lasted.
 *   RL5  The time that has passed is the larger of what the monotonic and the wall clock say. The first stops while a machine
 *        sleeps, the second may be set: a lease may be lost too early, never too late.
 *   RL6  It is not renewed after `maxHoldMs`, nor after its release.
 *   RL7  Reading `signal` looks at the clock, so that code after a blocked event loop sees the loss before any timer fires.
 *
 * Hand-over: the release reaches the database, which decides the next holder.
 * Cancel: a failed renewal is not a loss. It is tried again sooner.
 * Cost: one timer, and one renewal for each third of the time to live.
 * What it is not: a guard of writes. A holder that was paused finds out after the pause, so fence the writes with `token`.
 * Lineage: Kubernetes' leader election (renew deadline < lease duration).
 */

import { answerWithin } from '../calling/with-timeout.js';
import { LeaseLostError, printable } from '../contract/errors.js';
import type { KeyLease } from '../contract/types.js';
import { channel, exposed } from '../runtime/channels.js';
import { now, setTimer, type Timer, wallClock } from '../runtime/clock.js';
import { observerNow } from '../runtime/observer.js';
import type { LeaseEngine } from './lease-engine.js';

/** The clocks of two machines run at slightly different speeds. */
const marginShare = 0.05;
const leastMarginMs = 5;
const renewalsPerTtl = 3;
/** A renewal that failed is tried again after this share of the time to live. */
const retriesPerTtl = 20;

/** A moment on both clocks. */
export class Moment {
  readonly #monotonicMs = now();
  readonly #wallMs = wallClock();

  get agoMs(): number {
    return Math.max(now() - this.#monotonicMs, wallClock() - this.#wallMs);
  }
}

/** On the channel `latchkey:lease:lost`: a holder has lost a lock across processes while its task still runs. */
export interface LeaseLostMessage {
  readonly source: object;
  readonly key?: unknown;
  readonly error: LeaseLostError;
}

const losses = /* @__PURE__ */ channel<LeaseLostMessage>('latchkey:lease:lost');

export interface RemoteLeaseSettings {
  /** The object that the user made, published with a loss. */
  readonly source: object;
  /** How many may hold the key at once in this process. */
  readonly limit: number;
  readonly engine: LeaseEngine;
  readonly owner: string;
  readonly ttlMs: number;
  /** No renewal is sent after this moment. */
  readonly maxHoldMs: number;
  /** When the command that proved it was sent. */
  readonly proved: Moment;
  readonly onEnd: () => void;
}

export class RemoteLease<K> implements KeyLease<K> {
  readonly #key: K;
  readonly #token: bigint;
  readonly #name: string;
  readonly #settings: RemoteLeaseSettings;
  readonly #controller = new AbortController();
  readonly #granted = new Moment();
  #proved: Moment;
  #state: 'held' | 'lost' | 'released' = 'held';
  #deadline: Timer | undefined;
  #renewal: Timer | undefined;
  #releasing: Promise<void> | undefined;

  constructor(key: K, name: string, token: bigint, settings: RemoteLeaseSettings) {
    this.#key = key;
    this.#token = token;
    this.#name = name;
    this.#settings = settings;
    this.#proved = settings.proved;
    this.#watchDeadline();
    this.#renewIn(settings.ttlMs / renewalsPerTtl);
    observerNow()?.granted(this, { source: settings.source, key, weight: 1, limit: settings.limit });
  }

  get key(): K {
    return this.#key;
  }

  get token(): bigint {
    return this.#token;
  }

  get signal(): AbortSignal {
    this.#checkDeadline();
    return this.#controller.signal;
  }

  /** Ends the lease as lost. */
  lose(why: string, cause?: unknown): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#stop();
    const message = `the lease of ${printable(this.#name)} is lost: ${why}`;
    const error = new LeaseLostError(message, cause === undefined ? undefined : { cause });
    this.#controller.abort(error);
    if (losses.hasSubscribers)
      losses.publish(exposed({ source: this.#settings.source, key: this.key, error }));
    // The database may still show us as its owner, and would refuse others.
    this.#end();
  }

  release(): Promise<void> {
    if (this.#state === 'held') {
      this.#state = 'released';
      this.#stop();
      this.#end();
    }
    return this.#releasing ?? Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** For a logger: the key may be secret, and `JSON.stringify` cannot print the token. */
  toJSON(): { released: boolean; heldMs: number } {
    return { released: this.#state !== 'held', heldMs: this.#granted.agoMs };
  }

  get [Symbol.toStringTag](): string {
    return this.#state;
  }

  #stop(): void {
    this.#deadline?.cancel();
    this.#renewal?.cancel();
  }

  #end(): void {
    observerNow()?.released(this);
    const { engine, owner, onEnd } = this.#settings;
    const release = () => engine.release(this.#name, owner);
    this.#releasing = answerWithin(Math.max(0, this.#remainingMs), release).then(onEnd, onEnd);
  }

  get #remainingMs(): number {
    const { ttlMs } = this.#settings;
    return ttlMs - Math.max(leastMarginMs, marginShare * ttlMs) - this.#proved.agoMs;
  }

  #checkDeadline(): void {
    if (this.#remainingMs <= 0) this.lose('it was not renewed in time');
  }

  #watchDeadline(): void {
    this.#deadline?.cancel();
    const fire = () => {
      this.#checkDeadline();
      if (this.#state === 'held') this.#watchDeadline();
    };
    this.#deadline = setTimer(fire, Math.max(0, this.#remainingMs), { background: true });
  }

  #renewIn(delayMs: number): void {
    this.#renewal = setTimer(() => void this.#renew(), delayMs, { background: true });
  }

  async #renew(): Promise<void> {
    const { engine, owner, ttlMs, maxHoldMs } = this.#settings;
    // It then ends at its deadline, because a task that hangs must not keep its key.
    if (this.#granted.agoMs >= maxHoldMs) return;
    const asked = new Moment();
    try {
      const isOurs = await engine.renew(this.#name, owner, ttlMs);
      if (this.#state !== 'held') return;
      if (!isOurs) {
        this.lose('the database no longer shows us as its owner');
        return;
      }
      this.#proved = asked;
      this.#watchDeadline();
      this.#renewIn(ttlMs / renewalsPerTtl);
    } catch {
      if (this.#state === 'held') this.#renewIn(ttlMs / retriesPerTtl);
    }
  }
}
