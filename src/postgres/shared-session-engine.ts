/**
 * Session-level advisory locks of many keys on one connection.
 *
 * Invariants
 *   SS1  It uses one connection of the pool at most, and none while it neither holds a lock nor asks for one.
 *   SS2  Commands are sent one after the other. A connection that does not answer one within a time to live is closed, and every
 *        lock on it is lost at once. An error that the server reports is the error of one request only.
 *   SS3  A lock that was granted belongs to a lease, or is unlocked, or its connection is closed.
 *   SS4  A lock that this connection holds is refused: PostgreSQL would grant it to the same session again.
 *   SS5  What was set on the connection is set back with its last lock.
 *   and SE4, SE5 of SessionEngine.
 *
 * Hand-over: waiters ask again after 25 to 250 ms. Cost: one round trip to lock and one to unlock.
 * What it is not: independent locks: one lost connection loses all of them.
 * Lineage: madelson's DistributedLock, which puts several locks on one connection in the same way.
 */
import { answerWithin } from '../calling/with-timeout.js';
import { Mutex } from '../locks/mutex.js';
import type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import { Moment } from '../remote-locks/remote-lease.js';
import { advisoryKey, tryLock } from './advisory-lock.js';
import {
  connect,
  giveBack,
  refusePooler,
  type Session,
  sessionHolder,
  take,
  unlock,
} from './lock-session.js';
import { onBroken, type PostgresPool } from './postgres-client.js';
import { sqlStateOf } from './sql-state.js';

interface Grant {
  readonly lock: string;
  readonly ttlMs: number;
  readonly lost: (cause: unknown) => void;
}

const noConnection = () => 'no connection of the pool was free for the locks that share one';

export class SharedSessionEngine implements LeaseEngine {
  /** More would only queue for the connection, and renewals behind them. */
  readonly maxRequests = 1;
  readonly #pool: PostgresPool;
  readonly #namespace: string;
  /** Who uses the connection. */
  readonly #line = new Mutex();
  readonly #grants = new Map<string, Grant>();
  /** Owners whose request is under way; `true` if the caller has given up. */
  readonly #serving = new Map<string, boolean>();
  #session: Session | undefined;
  #isDirect: boolean;

  constructor(pool: PostgresPool, namespace: string, trustPooler: boolean) {
    this.#pool = pool;
    this.#namespace = namespace;
    this.#isDirect = trustPooler;
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const { key, owner, ttlMs, lost } = request;
    const asked = new Moment();
    this.#serving.set(owner, false);
    try {
      const lock = await advisoryKey(this.#namespace, key);
      return await this.#line.run(async () => {
        if (this.#serving.get(owner) || this.#isHeld(lock)) return { freeInMs: Infinity };
        const session = this.#session ?? (await this.#open(request, asked));
        if (session === undefined) return { freeInMs: 0 };
        return this.#using(session, async () => {
          const { got, token, before } = await this.#take(session, lock, ttlMs);
          if (!got || this.#session !== session) return { freeInMs: Infinity };
          if (this.#grants.size === 0) session.before = before;
          this.#grants.set(owner, { lock, ttlMs, lost });
          // The keeper has given up meanwhile, and does not look at the answer.
          if (this.#serving.get(owner)) await this.#unlock(session, owner);
          return { token: BigInt(token) };
        });
      });
    } finally {
      this.#serving.delete(owner);
    }
  }

  async renew(_key: string, owner: string, ttlMs: number): Promise<boolean> {
    await this.#line.run(() => {
      const session = this.#session;
      if (session === undefined || !this.#grants.has(owner)) return;
      return this.#using(session, () => answerWithin(ttlMs, () => session.client.query('select 1')));
    });
    return this.#grants.has(owner);
  }

  async release(_key: string, owner: string): Promise<boolean> {
    if (this.#serving.has(owner)) this.#serving.set(owner, true);
    if (!this.#grants.has(owner)) return false;
    return this.#line.run(() => {
      const session = this.#session;
      if (session === undefined || !this.#grants.has(owner)) return false;
      return this.#using(session, () => this.#unlock(session, owner));
    });
  }

  holder(key: string): Promise<LeaseHolder | undefined> {
    return sessionHolder(this.#pool, this.#namespace, key);
  }

  #isHeld(lock: string): boolean {
    for (const grant of this.#grants.values()) if (grant.lock === lock) return true;
    return false;
  }

  async #open(request: LeaseRequest, asked: Moment): Promise<Session | undefined> {
    const client = await connect(this.#pool, request, asked, noConnection);
    if (client === undefined) return undefined;
    const onError = (error: Error) => this.#close(session, error);
    const session: Session = { client, onError, proved: asked, before: {} };
    this.#session = session;
    onBroken(client, onError);
    try {
      if (!this.#isDirect) await refusePooler(client);
    } catch (error) {
      this.#close(session, error);
      throw error;
    }
    this.#isDirect = true;
    return session;
  }

  /**
   * Gives the connection back when it holds nothing afterwards. Closes it when the server does not answer, or when an error leaves
   * nothing to keep it for.
   */
  async #using<T>(session: Session, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      if (this.#grants.size === 0 && this.#session === session) {
        this.#session = undefined;
        giveBack(session, true);
      }
      return result;
    } catch (error) {
      if (sqlStateOf(error) === undefined || this.#grants.size === 0) this.#close(session, error);
      throw error;
    }
  }

  async #take(session: Session, lock: string, ttlMs: number) {
    try {
      return await take(session, tryLock(lock, 'session'), ttlMs);
    } catch (error) {
      // The lock may have been granted before another statement of the same text failed.
      if (sqlStateOf(error) !== undefined && this.#session === session)
        await unlock(session, lock, ttlMs, false);
      throw error;
    }
  }

  async #unlock(session: Session, owner: string): Promise<boolean> {
    const { lock, ttlMs } = this.#grants.get(owner)!;
    const isLast = this.#grants.size === 1;
    this.#grants.delete(owner);
    try {
      const isFreed = await unlock(session, lock, ttlMs, isLast);
      if (!isFreed)
        this.#close(session, new Error('PostgreSQL did not hold the lock that was to be unlocked'));
      return isFreed;
    } catch (error) {
      this.#close(session, error);
      throw error;
    }
  }

  /** Whether its locks are held is not known any more: closing the connection frees them. */
  #close(session: Session, error: unknown): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    giveBack(session, false);
    const grants = [...this.#grants.values()];
    this.#grants.clear();
    for (const { lost } of grants) lost(error);
  }
}
