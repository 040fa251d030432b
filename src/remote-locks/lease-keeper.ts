/**
 * LeaseKeeper: what every lock across processes needs beside its database: a line of waiters, one request at a time, and
 * leases that end on time.
 *
 * Invariants
 *   LK1  In a process, callers of a key are served first come, first served, and only one request of theirs is under way.
 *   LK2  A key has an entry exactly while somebody waits for it or holds it, or a request for it is under way.
 *   LK3  A grant that nobody waits for any more is released; so is what a request may have got whose answer was lost.
 *   LK4  A waiter ends exactly once: granted, aborted, timed out, or told why the database could not be asked.
 *   and those of RemoteLease.
 *
 * Hand-over: between processes as the engine can: by wake-up, or by asking again after a pause with jitter. A waiter of the
 *   same process asks the database too: others may stand before him there.
 * Cancel: giving up rejects at once, whatever the database does; the request is finished behind the caller's back.
 * Cost: in memory as a WaitQueue; on the wire one request per grant, one per release, one per renewal and per try.
 * Lineage: Redisson's watchdog and Kubernetes' leader election, with the deadline on the holder's side.
 */

import { runAndRelease } from '../calling/run-and-release.js';
import { answerWithin } from '../calling/with-timeout.js';
import { checkDuration, checkFunction, checkLimit } from '../contract/arguments.js';
import type { WaitDetails } from '../contract/errors.js';
import type { Awaitable, KeyedLock, KeyLease, WaitOptions } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { AsyncContext } from '../runtime/async-context.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import { type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import type { LeaseEngine } from './lease-engine.js';
import { Moment, RemoteLease } from './remote-lease.js';
import { WakeUp } from './wake-up.js';

export interface LeaseOptions {
  /** How long a lease lasts without being prolonged, in milliseconds. Default 10_000. */
  ttlMs?: number | undefined;
  /** It is not prolonged beyond this: a task that hangs loses its lease then. Default ten times `ttlMs`. */
  maxHoldMs?: number | undefined;
}

/** How many may hold something at once: no database can count to infinity. */
export function checkPlaces(limit: number): void {
  checkLimit('limit', limit);
  if (limit === Infinity) throw new RangeError('limit must be finite, got Infinity');
}

const askAgain = exponential({ initialMs: 25, maxMs: 250, jitter: 'equal' });

export class LeaseKeeper<K> implements KeyedLock<K> {
  readonly #source: object;
  readonly #engine: LeaseEngine;
  readonly #limit: number;
  readonly #ttlMs: number;
  readonly #maxHoldMs: number;
  readonly #nameOf: (key: K) => string;
  readonly #queues = new Map<string, LeaseQueue<K>>();
  readonly #leases = new Set<RemoteLease<K>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #context = new AsyncContext();
  readonly #id = crypto.randomUUID();
  #requests = 0;

  /** `limit`: how many leases of one key may be out in this process; the engine decides about all of them together. */
  constructor(
    source: object,
    engine: LeaseEngine,
    nameOf: (key: K) => string,
    terms: LeaseOptions,
    limit = 1,
  ) {
    const { ttlMs = 10_000 } = terms;
    checkDuration('ttlMs', ttlMs);
    if (ttlMs < 100 || ttlMs === Infinity) {
      throw new RangeError(`ttlMs must be between 100 and what is finite, got ${ttlMs}`);
    }
    const { maxHoldMs = 10 * ttlMs } = terms;
    checkDuration('maxHoldMs', maxHoldMs);
    this.#source = source;
    this.#engine = engine;
    this.#nameOf = nameOf;
    this.#ttlMs = ttlMs;
    this.#maxHoldMs = maxHoldMs;
    this.#limit = limit;
  }

  run<T>(key: K, task: (lease: KeyLease<K>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    try {
      checkFunction('task', task);
    } catch (refused) {
      return Promise.reject(refused);
    }
    return this.acquire(key, options).then((lease) => runAndRelease(lease as RemoteLease<K>, task));
  }

  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>> {
    try {
      const terms = waitSettings(options);
      const name = this.#nameOf(key);
      let queue = this.#queues.get(name);
      if (queue === undefined) {
        queue = new LeaseQueue<K>(this.#source, name, key, this.#limit);
        this.#queues.set(name, queue);
      }
      const wait = queue.wait(terms);
      this.#pursue(queue);
      return wait;
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** Releases every lease of this process; resolves when the database has been told, or could not be. */
  async releaseAll(): Promise<void> {
    for (const lease of this.#leases) void lease.release();
    await Promise.all(this.#ending);
  }

  /** Asks the database for the head of the line, unless that is being done or there is nothing to ask for. */
  #pursue(queue: LeaseQueue<K>): void {
    if (queue.isPursued || !queue.wantsMore) {
      if (queue.isIdle) this.#queues.delete(queue.name);
      return;
    }
    queue.isPursued = true;
    void this.#context
      .run(() => this.#request(queue))
      .then(() => {
        queue.isPursued = false;
        this.#pursue(queue);
      });
  }

  /** One request, repeated until it is granted, fails, or nobody waits for it. Never rejects. */
  async #request(queue: LeaseQueue<K>): Promise<void> {
    const owner = `${this.#id}:${++this.#requests}`;
    const { name, wakeUp } = queue;
    let stopListening: (() => void) | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        wakeUp.reset();
        const answer = await this.#ask(queue, owner);
        if (answer === 'granted') return;
        if (queue.isAbandoned) break;
        stopListening ??= this.#engine.onFreed?.(name, wakeUp.set);
        await wakeUp.wait(this.#pauseMs(answer.freeInMs, attempt));
        if (queue.isAbandoned) break;
      }
    } catch (error) {
      queue.fail(error);
    } finally {
      stopListening?.();
    }
    // It may have been granted although nobody was told.
    await answerWithin(this.#ttlMs, this.#engine.release(name, owner)).catch(() => {});
  }

  async #ask(queue: LeaseQueue<K>, owner: string): Promise<'granted' | { readonly freeInMs: number }> {
    const { name } = queue;
    let lease: RemoteLease<K> | undefined;
    let isLost = false;
    let proved = new Moment();
    const answer = await answerWithin(
      this.#ttlMs,
      this.#engine.acquire({
        key: name,
        owner,
        ttlMs: this.#ttlMs,
        signal: queue.begin(),
        lost: (cause) => {
          isLost = true;
          lease?.lose('its session has ended', cause);
        },
      }),
    );
    if (!('token' in answer)) return answer;
    // An answer that took long proves little of now.
    if (proved.agoMs > this.#ttlMs / 3) {
      proved = new Moment();
      const isOurs = await answerWithin(this.#ttlMs, this.#engine.renew(name, owner, this.#ttlMs));
      if (!isOurs) return { freeInMs: 0 };
    }
    // A session may end before there is a lease to tell.
    if (isLost || queue.isAbandoned) return { freeInMs: 0 };
    lease = this.#grant(queue, owner, answer.token, proved);
    return 'granted';
  }

  /** Until the key may be free. A first wake-up may come before anybody listens, so the second try does not rely on it. */
  #pauseMs(freeInMs: number, attempt: number): number {
    const isWoken = this.#engine.onFreed !== undefined && attempt > 1;
    const pauseMs = isWoken ? freeInMs : Math.min(freeInMs, askAgain(attempt, 0, Math.random));
    return Math.max(1, Math.min(pauseMs, this.#ttlMs));
  }

  #grant(queue: LeaseQueue<K>, owner: string, token: bigint, proved: Moment): RemoteLease<K> {
    const lease: RemoteLease<K> = new RemoteLease(queue.key, queue.name, token, {
      source: this.#source,
      limit: this.#limit,
      engine: this.#engine,
      owner,
      ttlMs: this.#ttlMs,
      maxHoldMs: this.#maxHoldMs,
      proved,
      onEnd: () => {
        this.#leases.delete(lease);
        this.#ending.delete(ended);
        end();
        queue.held--;
        this.#pursue(queue);
      },
    });
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#leases.add(lease);
    this.#ending.add(ended);
    queue.grant(lease);
    return lease;
  }
}

/** Those of this process who wait for a key or hold it. */
class LeaseQueue<K> implements QueueOwner {
  readonly source: object;
  readonly name: string;
  readonly key: K;
  isPursued = false;
  held = 0;
  /** Rings when the key may be free, and when nobody waits any more. */
  readonly wakeUp = new WakeUp();
  readonly #limit: number;
  readonly #queue = new WaitQueue<RemoteLease<K>>(this);
  #controller = new AbortController();

  constructor(source: object, name: string, key: K, limit: number) {
    this.source = source;
    this.name = name;
    this.key = key;
    this.#limit = limit;
  }

  get wantsMore(): boolean {
    return this.#queue.size > 0 && this.held < this.#limit;
  }

  get isIdle(): boolean {
    return this.#queue.size === 0 && this.held === 0 && !this.isPursued;
  }

  get isAbandoned(): boolean {
    return this.#queue.size === 0;
  }

  wait(terms: WaitSettings): Promise<RemoteLease<K>> {
    return this.#queue.wait(terms);
  }

  /** A new attempt: its signal aborts when the last waiter leaves. */
  begin(): AbortSignal {
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  grant(lease: RemoteLease<K>): void {
    this.held++;
    this.#queue.grant(lease);
  }

  /** The head is told, and nobody else: the next one may have more luck. */
  fail(error: unknown): void {
    const { head } = this.#queue;
    if (head?.leave()) head.refuse(() => error as Error);
  }

  describe(waitedMs: number): WaitDetails {
    const { held } = this;
    return { key: this.key, waitedMs, held, waiting: this.#queue.size, limit: this.#limit };
  }

  onLeave(): void {
    if (!this.isAbandoned) return;
    this.#controller.abort();
    this.wakeUp.set();
  }
}
