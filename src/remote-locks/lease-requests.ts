/**
 * The requests of a lock to its engine, and the leases that they bring. An engine may serve a few at once only (RequestGate); a request that
 * is not answered in time is an outage, for every caller.
 */
import { ignoreRejection } from '../calling/listeners.js';
import { answerWithin } from '../calling/with-timeout.js';
import { AttemptTimeoutError } from '../contract/errors.js';
import type { LeaseEngine } from './lease-engine.js';
import type { LeaseSettings } from './lease-options.js';
import type { LeaseQueue } from './lease-queue.js';
import { Moment, RemoteLease } from './remote-lease.js';
import { RequestGate } from './request-gate.js';

/** One attempt to get a key. */
export interface Attempt {
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly nowait: boolean;
  /** How long the database may take to answer, in milliseconds. */
  readonly patienceMs: number;
}

export class LeaseRequests<K> {
  readonly #source: object;
  readonly #engine: LeaseEngine;
  readonly #settings: LeaseSettings;
  readonly #limit: number;
  readonly #onEnd: (queue: LeaseQueue<K>) => void;
  readonly #gate: RequestGate;
  readonly #leases = new Set<RemoteLease<K>>();
  readonly #releases = new Set<Promise<void>>();

  /** `onEnd` is called when a lease of the queue's key has ended, and its release was answered or given up. */
  constructor(
    source: object,
    engine: LeaseEngine,
    settings: LeaseSettings,
    limit: number,
    onEnd: (queue: LeaseQueue<K>) => void,
  ) {
    this.#source = source;
    this.#engine = engine;
    this.#settings = settings;
    this.#limit = limit;
    this.#onEnd = onEnd;
    this.#gate = new RequestGate(engine.maxRequests ?? Infinity);
  }

  /** How many leases this process holds. */
  get held(): number {
    return this.#leases.size;
  }

  /** Releases every lease of this process; resolves when the database has answered, or could not be reached. */
  async releaseAll(): Promise<void> {
    for (const lease of this.#leases) void lease.release();
    await Promise.all(this.#releases);
  }

  /** A grant may have been made although its answer was lost or no caller waited for it. */
  giveUp(name: string, owner: string): void {
    const release = () => this.#engine.release(name, owner);
    const ended: Promise<void> = answerWithin(this.#settings.ttlMs, release).then(
      () => void this.#releases.delete(ended),
      () => void this.#releases.delete(ended),
    );
    this.#releases.add(ended);
  }

  /** Returns what the engine gives to stop it. Wake-ups are only hints: where there are none, the database is asked again. */
  listen({ name, wakeUp }: LeaseQueue<K>): unknown {
    try {
      const stop: unknown = this.#engine.onFreed?.(name, wakeUp.set);
      ignoreRejection(stop);
      return stop;
    } catch {
      return undefined;
    }
  }

  /** One request, in its turn. */
  async ask(queue: LeaseQueue<K>, attempt: Attempt): Promise<RemoteLease<K> | { readonly freeInMs: number }> {
    const turn = this.#gate.enter();
    if (turn !== undefined) {
      queue.hint = 'requests for other keys were under way';
      // Rejects only in an outage.
      await turn.catch((error) => {
        queue.unanswered();
        throw error;
      });
    }
    queue.hint = undefined;
    try {
      return await this.#askNow(queue, attempt);
    } catch (error) {
      // Also failures that take long, as those of a connection: the next request would take as long.
      if (error instanceof AttemptTimeoutError || this.#gate.silentMs >= this.#settings.ttlMs / 2) {
        queue.unanswered();
        this.#gate.fail(error as Error);
      }
      throw error;
    } finally {
      this.#gate.leave();
    }
  }

  async #askNow(
    queue: LeaseQueue<K>,
    { owner, signal, nowait, patienceMs }: Attempt,
  ): Promise<RemoteLease<K> | { readonly freeInMs: number }> {
    const { name } = queue;
    const { ttlMs } = this.#settings;
    let lease: RemoteLease<K> | undefined;
    let isLost = false;
    let proved = new Moment();
    const request = {
      key: name,
      owner,
      ttlMs,
      signal,
      nowait,
      lost: (cause: unknown) => {
        isLost = true;
        lease?.lose('its session has ended', cause);
      },
      hint: (text: string | undefined) => {
        queue.hint = text;
      },
    };
    const answer = await answerWithin(patienceMs, () => this.#engine.acquire(request));
    queue.answered();
    this.#gate.answered();
    if (!('token' in answer)) return answer;
    // A slow answer may be stale: confirm it with a renewal.
    if (proved.agoMs > ttlMs / 3) {
      proved = new Moment();
      const isOurs = await answerWithin(ttlMs, () => this.#engine.renew(name, owner, ttlMs));
      if (!isOurs) return { freeInMs: 0 };
    }
    // A session may end before there is a lease that could be lost.
    if (isLost) return { freeInMs: 0 };
    lease = this.#leaseOf(queue, owner, answer.token, proved);
    return lease;
  }

  #leaseOf(queue: LeaseQueue<K>, owner: string, token: bigint, proved: Moment): RemoteLease<K> {
    const lease: RemoteLease<K> = new RemoteLease(queue.key, queue.name, token, {
      source: this.#source,
      limit: this.#limit,
      engine: this.#engine,
      owner,
      ttlMs: this.#settings.ttlMs,
      maxHoldMs: this.#settings.maxHoldMs,
      proved,
      onEnd: () => {
        this.#leases.delete(lease);
        this.#releases.delete(ended);
        end();
        queue.held--;
        this.#onEnd(queue);
      },
    });
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#leases.add(lease);
    this.#releases.add(ended);
    queue.held++;
    return lease;
  }
}
