/**
 * LeaseKeeper: what every lock across processes needs beside its database: a line of waiters, one request at a time, and
 * leases that end on time.
 *
 * Invariants
 *   L1  In a process, callers of a key are served first come, first served, and only one request of theirs is under way.
 *   L2  A key has an entry exactly while somebody waits for it or holds it, or a request for it is under way.
 *   L3  A grant that nobody waits for any more is released; so is what a request may have got whose answer was lost.
 *   L4  A waiter ends exactly once: granted, aborted, timed out, or told why the database could not be asked.
 *   and those of RemoteLease.
 *
 * Hand-over: between processes as the engine can: by wake-up, or by asking again after a pause with jitter. A waiter of the
 *   same process asks the database too: others may stand before him there.
 * Cancel: giving up rejects at once, whatever the database does; the request is finished behind the caller's back.
 * Cost: in memory as a WaitQueue; on the wire one request per grant, one per release, one per renewal and per try.
 * Lineage: Redisson's watchdog and Kubernetes' leader election, with the deadline on the holder's side.
 */
import { checkDuration, checkFunction, checkLimit } from '../arguments.js';
import { exponential } from '../backoff.js';
import { Context } from '../context.js';
import type { WaitDetails } from '../errors.js';
import { runHolding } from '../hold.js';
import type { Awaitable, KeyedLock, KeyLease, WaitOptions } from '../vocabulary.js';
import { type QueueOwner, WaitQueue, type WaitTerms, waitTerms } from '../wait-queue.js';
import { answerWithin } from './answer-within.js';
import { Bell } from './bell.js';
import type { LeaseEngine } from './lease-engine.js';
import { Moment, RemoteLease } from './remote-lease.js';

export interface LeaseTerms {
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
  readonly #lines = new Map<string, Line<K>>();
  readonly #leases = new Set<RemoteLease<K>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #context = new Context();
  readonly #id = crypto.randomUUID();
  #requests = 0;

  /** `limit`: how many leases of one key may be out in this process; the engine decides about all of them together. */
  constructor(source: object, engine: LeaseEngine, nameOf: (key: K) => string, terms: LeaseTerms, limit = 1) {
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
    return this.acquire(key, options).then((lease) => runHolding(lease as RemoteLease<K>, task));
  }

  acquire(key: K, options?: WaitOptions): Promise<KeyLease<K>> {
    try {
      const terms = waitTerms(options);
      const name = this.#nameOf(key);
      let line = this.#lines.get(name);
      if (line === undefined) {
        line = new Line<K>(this.#source, name, key, this.#limit);
        this.#lines.set(name, line);
      }
      const wait = line.wait(terms);
      this.#pursue(line);
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
  #pursue(line: Line<K>): void {
    if (line.isPursued || !line.wantsMore) {
      if (line.isIdle) this.#lines.delete(line.name);
      return;
    }
    line.isPursued = true;
    void this.#context
      .run(() => this.#request(line))
      .then(() => {
        line.isPursued = false;
        this.#pursue(line);
      });
  }

  /** One request, repeated until it is granted, fails, or nobody waits for it. Never rejects. */
  async #request(line: Line<K>): Promise<void> {
    const owner = `${this.#id}:${++this.#requests}`;
    const { name, bell } = line;
    let stopListening: (() => void) | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        bell.silence();
        const answer = await this.#ask(line, owner);
        if (answer === 'granted') return;
        if (line.isAbandoned) break;
        stopListening ??= this.#engine.onFreed?.(name, bell.ring);
        await bell.wait(this.#pauseMs(answer.freeInMs, attempt));
        if (line.isAbandoned) break;
      }
    } catch (error) {
      line.fail(error);
    } finally {
      stopListening?.();
    }
    // It may have been granted although nobody was told.
    await answerWithin(this.#ttlMs, this.#engine.release(name, owner)).catch(() => {});
  }

  async #ask(line: Line<K>, owner: string): Promise<'granted' | { readonly freeInMs: number }> {
    const { name } = line;
    let lease: RemoteLease<K> | undefined;
    let isLost = false;
    let proved = new Moment();
    const answer = await answerWithin(
      this.#ttlMs,
      this.#engine.acquire({
        key: name,
        owner,
        ttlMs: this.#ttlMs,
        signal: line.begin(),
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
    if (isLost || line.isAbandoned) return { freeInMs: 0 };
    lease = this.#grant(line, owner, answer.token, proved);
    return 'granted';
  }

  /** Until the key may be free. A first wake-up may come before anybody listens, so the second try does not rely on it. */
  #pauseMs(freeInMs: number, attempt: number): number {
    const isWoken = this.#engine.onFreed !== undefined && attempt > 1;
    const pauseMs = isWoken ? freeInMs : Math.min(freeInMs, askAgain(attempt, 0, Math.random));
    return Math.max(1, Math.min(pauseMs, this.#ttlMs));
  }

  #grant(line: Line<K>, owner: string, token: bigint, proved: Moment): RemoteLease<K> {
    const lease: RemoteLease<K> = new RemoteLease(line.key, line.name, token, {
      source: this.#source,
      engine: this.#engine,
      owner,
      ttlMs: this.#ttlMs,
      maxHoldMs: this.#maxHoldMs,
      proved,
      onEnd: () => {
        this.#leases.delete(lease);
        this.#ending.delete(ended);
        end();
        line.held--;
        this.#pursue(line);
      },
    });
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#leases.add(lease);
    this.#ending.add(ended);
    line.grant(lease);
    return lease;
  }
}

/** Those of this process who wait for a key or hold it. */
class Line<K> implements QueueOwner {
  readonly source: object;
  readonly name: string;
  readonly key: K;
  isPursued = false;
  held = 0;
  /** Rings when the key may be free, and when nobody waits any more. */
  readonly bell = new Bell();
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

  wait(terms: WaitTerms): Promise<RemoteLease<K>> {
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
    this.bell.ring();
  }
}
