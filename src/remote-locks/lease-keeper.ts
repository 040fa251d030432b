/**
 * LeaseKeeper: what every lock across processes needs beside its database: a queue of callers per key, one request at a
 * time, and leases that end on time.
 *
 * Invariants
 *   LK1  In a process, callers of a key are served first come, first served, and one request for the key is under way.
 *   LK2  A key has an entry exactly while a caller waits for it or holds it, or a request for it is under way.
 *   LK3  A grant that no caller waits for any more is released, and so is a grant that a request may have got although its
 *        answer was lost.
 *   LK4  A waiter ends exactly once: granted, aborted, timed out, refused by `close`, or with the error of the database.
 *   LK5  An outage is reported to every waiter within one time to live of its begin, not to one waiter per time to live.
 *   LK6  A pause between two requests is at most 250 ms, so a wake-up that never comes costs at most that much.
 *   LK7  The owner's name is random and drawn for each request: processes that were cloned do not share a name.
 *   LK8  After `close()` nothing is granted; it resolves when nothing is held and no request is under way.
 *   and those of RemoteLease and Ending (EN).
 *
 * Hand-over: between processes as the engine can: by wake-up, and by asking again after a pause with jitter. A waiter of the
 *   same process asks the database as well, because other processes may have waited longer.
 * Cancel: giving up rejects at once, whatever the database does; the request is finished behind the caller's back.
 * Cost: in memory as a WaitQueue; on the wire one request per grant, one per release, one per renewal and per try.
 * Lineage: Redisson's watchdog and Kubernetes' leader election, with the deadline on the holder's side.
 */

import { directly, notify } from '../calling/listeners.js';
import { runAndRelease } from '../calling/run-and-release.js';
import { answerWithin } from '../calling/with-timeout.js';
import { checkFunction } from '../contract/arguments.js';
import { ClosedError } from '../contract/errors.js';
import type { Awaitable, KeyedLock, KeyLease, LockStats, WaitOptions } from '../contract/types.js';
import { exponential } from '../retry/backoff.js';
import { AsyncContext } from '../runtime/async-context.js';
import { Ending } from '../waiting/ending.js';
import { waitSettings } from '../waiting/wait-settings.js';
import { checkEngine, type LeaseEngine, type LeaseHolder } from './lease-engine.js';
import { type LeaseOptions, type LeaseSettings, leaseSettings } from './lease-options.js';
import { LeaseQueue } from './lease-queue.js';
import { type Attempt, LeaseRequests } from './lease-requests.js';
import { labelOf, ownerOf } from './owner.js';
import { Moment, RemoteLease } from './remote-lease.js';

const pauseBeforeAttempt = exponential({ initialMs: 25, maxMs: 250, jitter: 'equal' });

export class LeaseKeeper<K> implements KeyedLock<K> {
  readonly #source: object;
  readonly #engine: LeaseEngine;
  readonly #limit: number;
  readonly #settings: LeaseSettings;
  readonly #nameOf: (key: K) => string;
  readonly #requests: LeaseRequests<K>;
  readonly #queues = new Map<string, LeaseQueue<K>>();
  readonly #ending: Ending;
  readonly #pursuits = new Set<Promise<void>>();
  readonly #context = new AsyncContext();

  /** `limit`: how many leases of one key may be out in this process; the engine decides about all processes together. */
  constructor(
    source: object,
    engine: LeaseEngine,
    nameOf: (key: K) => string,
    options: LeaseOptions,
    limit = 1,
  ) {
    checkEngine(engine);
    const settings = leaseSettings(options);
    this.#settings = settings;
    this.#ending = new Ending('the lock', {
      describe: (waitedMs) => ({ waitedMs, held: this.held, waiting: this.waiting, limit }),
      onLeave() {},
    });
    this.#source = source;
    this.#engine = engine;
    this.#nameOf = nameOf;
    this.#limit = limit;
    this.#requests = new LeaseRequests(source, engine, settings, limit, (queue) => this.#pursue(queue));
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
      const settings = waitSettings(options, this.#settings.waits);
      const queue = this.#queueOf(key);
      queue.checkRoom(this.#settings.maxWaiting);
      const wait = queue.wait(settings);
      this.#pursue(queue);
      return wait;
    } catch (refused) {
      return Promise.reject(refused);
    }
  }

  /** One request, no wait: resolves with `undefined` when the key is taken. Never overtakes a waiter of this process. */
  async tryAcquire(key: K): Promise<KeyLease<K> | undefined> {
    const queue = this.#queueOf(key);
    if (!queue.isOpen) return undefined;
    queue.isPursued = true;
    const attempt: Attempt = {
      owner: ownerOf(this.#settings.owner),
      signal: new AbortController().signal,
      nowait: true,
      patienceMs: this.#settings.ttlMs,
    };
    try {
      return await this.#track(this.#context.run(() => this.#tryOnce(queue, attempt)));
    } finally {
      queue.isPursued = false;
      this.#pursue(queue);
    }
  }

  async #tryOnce(queue: LeaseQueue<K>, attempt: Attempt): Promise<RemoteLease<K> | undefined> {
    try {
      const answer = await this.#requests.ask(queue, attempt);
      if (!(answer instanceof RemoteLease)) return undefined;
      if (!this.#ending.closed) return answer;
      void answer.release();
    } catch (error) {
      this.#requests.giveUp(queue.name, attempt.owner);
      throw error;
    }
    throw new ClosedError('the lock');
  }

  /** Who holds the key, in whatever process. */
  async holder(key: K): Promise<LeaseHolder | undefined> {
    const name = this.#nameOf(key);
    if (this.#engine.holder === undefined)
      throw new TypeError('the engine of this lock has no holder method');
    const found = await answerWithin(this.#settings.ttlMs, () => this.#engine.holder?.(name));
    return found && { ...found, owner: labelOf(found.owner) };
  }

  /** Releases every lease of this process; resolves when the database has answered, or could not be reached. */
  async releaseAll(): Promise<void> {
    await this.#requests.releaseAll();
  }

  /** How many leases this process holds. */
  get held(): number {
    return this.#requests.held;
  }

  /** How many callers of this process wait. */
  get waiting(): number {
    let waiting = 0;
    for (const queue of this.#queues.values()) waiting += queue.waiting;
    return waiting;
  }

  stats(): LockStats {
    return { held: this.held, waiting: this.waiting, closed: this.#ending.closed };
  }

  /** Resolves when nothing is held, nobody waits and no request is under way. */
  async idle(options?: WaitOptions): Promise<void> {
    await this.#ending.idle(this.#queues.size === 0, options);
  }

  refuseWaiting(makeError: () => unknown): void {
    for (const queue of this.#queues.values()) queue.refuseAll(makeError);
  }

  /** Refuses waiters and later callers with `ClosedError`, then releases everything. */
  async close(): Promise<void> {
    this.refuseWaiting(this.#ending.close());
    await Promise.all([this.releaseAll(), ...this.#pursuits]);
    await this.releaseAll();
  }

  #queueOf(key: K): LeaseQueue<K> {
    this.#ending.checkOpen();
    const name = this.#nameOf(key);
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new LeaseQueue<K>(this.#source, name, key, this.#limit);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Asks the database for the head of the queue, unless a request is under way or none is needed. */
  #pursue(queue: LeaseQueue<K>): void {
    if (queue.isPursued || !queue.wantsMore) {
      if (queue.isIdle) this.#queues.delete(queue.name);
      if (this.#queues.size === 0) this.#ending.onFree();
      return;
    }
    queue.isPursued = true;
    const pursuit = this.#track(this.#context.run(() => this.#request(queue)));
    void pursuit.then(() => {
      queue.isPursued = false;
      this.#pursue(queue);
    });
  }

  /** For `close`, which waits until no request is under way. */
  #track<T>(pursuit: Promise<T>): Promise<T> {
    const ended: Promise<void> = pursuit.then(
      () => void this.#pursuits.delete(ended),
      () => void this.#pursuits.delete(ended),
    );
    this.#pursuits.add(ended);
    return pursuit;
  }

  /** One request, repeated until it is granted, fails, or no caller waits for it. Never rejects. */
  async #request(queue: LeaseQueue<K>): Promise<void> {
    const owner = ownerOf(this.#settings.owner);
    const { name, wakeUp } = queue;
    let stopListening: unknown;
    let answered: Moment | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        wakeUp.reset();
        // The database may have gone while nothing was asked of it: that time counts as well.
        const patienceMs = Math.max(this.#settings.ttlMs / 2, this.#settings.ttlMs - (answered?.agoMs ?? 0));
        const answer = await this.#requests.ask(queue, {
          owner,
          signal: queue.begin(),
          nowait: false,
          patienceMs,
        });
        answered = new Moment();
        if (answer instanceof RemoteLease) {
          // The last waiter may have left meanwhile.
          if (queue.isAbandoned) void answer.release();
          else queue.grant(answer);
          return;
        }
        if (queue.isAbandoned) break;
        stopListening ??= this.#requests.listen(queue);
        await wakeUp.wait(pauseMs(answer.freeInMs, attempt));
        if (queue.isAbandoned) break;
      }
    } catch (error) {
      queue.fail(error as Error);
    } finally {
      if (typeof stopListening === 'function') notify(directly, stopListening as () => void);
    }
    this.#requests.giveUp(name, owner);
  }
}

/** How long to wait before the next request: until the key may be free, and never longer than 250 ms. */
function pauseMs(freeInMs: number, attempt: number): number {
  const longestMs = pauseBeforeAttempt(attempt, 0, Math.random);
  return freeInMs <= longestMs ? Math.max(1, freeInMs) : longestMs;
}
