/**
 * Session-level advisory locks: a lock lives as long as the connection that holds it.
 *
 * Invariants
 *   SE1  A lock that was granted belongs to a lease, or is unlocked, or its connection is closed: also when PostgreSQL grants it
 *        and reports a timeout, when the caller has left, and when the answer is lost.
 *   SE2  Each lock has a connection of its own while it is waited for or held. What was set on it for that time is set back to
 *        what it was before.
 *   SE3  A connection that does not answer is closed. No command of ours waits longer than `commandTimeoutMs` for it.
 *   SE4  The server frees the lock of a dead connection after `keepaliveMs`. Every time to live is shorter than that, so that
 *        the holder knows of the loss before another process can hold the lock.
 *   SE5  Behind a pooler that moves clients between connections it rejects, unless `trustPooler` is set.
 *
 * Hand-over: waiters block in PostgreSQL, in its order, in slices. At the end of a slice a waiter whose caller has left
 *   stops, and others go to the end of the queue.
 * Cost: one round trip to lock and one to unlock.
 * What it is not: a lock that survives its connection.
 */
import { answerWithin } from '../calling/with-timeout.js';
import type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import { Moment } from '../remote-locks/remote-lease.js';
import { advisoryKey, longestSliceMs, tryLock, waitForLock } from './advisory-lock.js';
import {
  commandTimeoutMs,
  connect,
  giveBack,
  refusePooler,
  type Session,
  sessionHolder,
  take,
  unlock,
} from './lock-session.js';
import {
  longestQueryMs,
  onBroken,
  type PostgresClient,
  type PostgresPool,
  sizeOf,
} from './postgres-client.js';

interface KeySession extends Session {
  readonly lock: string;
  readonly ttlMs: number;
  /** The command of a renewal that is under way: a driver may not queue commands. */
  renewal: Promise<unknown> | undefined;
}

export class SessionEngine implements LeaseEngine {
  readonly #pool: PostgresPool;
  readonly #namespace: string;
  readonly #sessions = new Map<string, KeySession>();
  /** Owners whose request is under way; `true` if the caller has given up. */
  readonly #serving = new Map<string, boolean>();
  #isDirect: boolean;

  constructor(pool: PostgresPool, namespace: string, trustPooler = false) {
    this.#pool = pool;
    this.#namespace = namespace;
    this.#isDirect = trustPooler;
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const { key, owner } = request;
    const asked = new Moment();
    this.#serving.set(owner, false);
    try {
      const lock = await advisoryKey(this.#namespace, key);
      const client = await connect(this.#pool, request, asked, () => this.#reason);
      if (client === undefined) return { freeInMs: 0 };
      const answer = await this.#lock(client, lock, request);
      // The keeper has given up meanwhile, and does not look at the answer.
      if (this.#serving.get(owner)) await this.#end(owner);
      return answer;
    } finally {
      this.#serving.delete(owner);
    }
  }

  get #reason(): string {
    return `no connection of the pool was free: of ${sizeOf(this.#pool)}, this mutex uses ${this.#sessions.size} for keys that it holds`;
  }

  async #lock(client: PostgresClient, lock: string, request: LeaseRequest): Promise<LeaseAnswer> {
    const { owner, ttlMs, lost, nowait } = request;
    let broken: unknown;
    const onError = (error: Error) => {
      broken ??= error;
      if (this.#sessions.delete(owner)) giveBack(session, false);
      lost(error);
    };
    const session: KeySession = {
      client,
      lock,
      ttlMs,
      onError,
      proved: new Moment(),
      before: {},
      renewal: undefined,
    };
    onBroken(client, onError);
    try {
      if (!this.#isDirect) await refusePooler(client);
      this.#isDirect = true;
      let taken = await take(session, tryLock(lock, 'session'), commandTimeoutMs);
      if (!taken.got && !nowait) {
        const sliceMs = Math.min(longestSliceMs, ttlMs / 2, longestQueryMs(client));
        taken = await take(session, waitForLock(lock, 'session', sliceMs), sliceMs + commandTimeoutMs);
      }
      if (broken !== undefined) throw broken;
      if (!taken.got) {
        giveBack(session, true);
        return { freeInMs: 0 };
      }
      session.before = taken.before;
      this.#sessions.set(owner, session);
      return { token: BigInt(taken.token) };
    } catch (error) {
      // Whether the lock was granted is not known: closing the connection frees it.
      giveBack(session, false);
      throw broken ?? error;
    }
  }

  async renew(_key: string, owner: string): Promise<boolean> {
    const session = this.#sessions.get(owner);
    if (session === undefined) return false;
    const asked = new Moment();
    session.renewal = session.client.query('select 1');
    await session.renewal;
    session.renewal = undefined;
    session.proved = asked;
    return this.#sessions.has(owner);
  }

  async release(_key: string, owner: string): Promise<boolean> {
    if (this.#serving.has(owner)) this.#serving.set(owner, true);
    return this.#end(owner);
  }

  holder(key: string): Promise<LeaseHolder | undefined> {
    return sessionHolder(this.#pool, this.#namespace, key);
  }

  async #end(owner: string): Promise<boolean> {
    const session = this.#sessions.get(owner);
    if (session === undefined) return false;
    this.#sessions.delete(owner);
    let isFreed = false;
    try {
      // A connection that has not answered for a time to live is dead: nothing is asked of it any more.
      if (session.proved.agoMs < session.ttlMs) {
        const { renewal } = session;
        if (renewal !== undefined) await answerWithin(commandTimeoutMs, () => renewal);
        isFreed = await unlock(session, session.lock);
      }
    } finally {
      giveBack(session, isFreed);
    }
    return isFreed;
  }
}
