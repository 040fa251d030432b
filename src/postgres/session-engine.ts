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
import { setTimer } from '../runtime/clock.js';
import { advisoryKey, gotIt, holderOf, longestSliceMs, tryLock, waitForLock } from './advisory-lock.js';
import {
  answersOf,
  connectionOf,
  longestQueryMs,
  onBroken,
  type PostgresClient,
  type PostgresPool,
  sizeOf,
} from './postgres-client.js';
import { NoConnectionError, PoolerError } from './postgres-errors.js';

const keepalive = { idleSeconds: 10, intervalSeconds: 5, count: 3 };
/** How long after a connection has died the server frees its locks. */
export const keepaliveMs = (keepalive.idleSeconds + keepalive.intervalSeconds * keepalive.count) * 1_000;
const commandTimeoutMs = 2_000;

/** A silent holder must keep the lock, and a dead one must lose it. */
const settings: Record<string, number> = {
  idle_session_timeout: 0,
  tcp_keepalives_idle: keepalive.idleSeconds,
  tcp_keepalives_interval: keepalive.intervalSeconds,
  tcp_keepalives_count: keepalive.count,
};
const names = Object.keys(settings);
const setCall = (name: string, value: unknown) => `set_config('${name}', '${value}', false)`;

/** Whether it got the lock, its token, and what the settings were before; then sets them for as long as the lock is held. */
const report = `select ${gotIt} as got, case when ${gotIt} then pg_current_xact_id()::text end as token,
    ${names.map((name) => `current_setting('${name}') as ${name}`).join(', ')};
  select ${names.map((name) => setCall(name, settings[name])).join(', ')} where ${gotIt}`;

interface Session {
  readonly client: PostgresClient;
  readonly lock: string;
  readonly ttlMs: number;
  readonly onError: (error: Error) => void;
  /** When the last command was sent that was answered. */
  proved: Moment;
  /** The settings before. */
  before: Record<string, string>;
}

export class SessionEngine implements LeaseEngine {
  readonly #pool: PostgresPool;
  readonly #namespace: string;
  readonly #sessions = new Map<string, Session>();
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
      const client = await this.#connect(request, asked);
      if (client === undefined) return { freeInMs: 0 };
      const answer = await this.#lock(client, lock, request);
      // The keeper has given up meanwhile, and does not look at the answer.
      if (this.#serving.get(owner)) await this.#end(owner);
      return answer;
    } finally {
      this.#serving.delete(owner);
    }
  }

  /** `undefined` when the caller has left. */
  async #connect({ signal, ttlMs, hint }: LeaseRequest, asked: Moment): Promise<PostgresClient | undefined> {
    const controller = new AbortController();
    const reason = () =>
      `no connection of the pool was free: of ${sizeOf(this.#pool)}, this mutex uses ${this.#sessions.size} for keys that it holds`;
    // Before the keeper gives up, which does not know why.
    const patienceMs = Math.max(0, 0.9 * ttlMs - asked.agoMs);
    const timer = setTimer(() => controller.abort(new NoConnectionError(reason())), patienceMs);
    const leave = () => controller.abort();
    signal.addEventListener('abort', leave, { once: true });
    hint?.(reason());
    try {
      return await connectionOf(this.#pool, controller.signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', leave);
      hint?.(undefined);
    }
  }

  async #lock(client: PostgresClient, lock: string, request: LeaseRequest): Promise<LeaseAnswer> {
    const { owner, ttlMs, lost, nowait } = request;
    let broken: unknown;
    const onError = (error: Error) => {
      broken ??= error;
      if (this.#sessions.delete(owner)) giveBack(session, false);
      lost(error);
    };
    const session: Session = { client, lock, ttlMs, onError, proved: new Moment(), before: {} };
    onBroken(client, onError);
    try {
      if (!this.#isDirect) await this.#refusePooler(client);
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
    await session.client.query('select 1');
    session.proved = asked;
    return this.#sessions.has(owner);
  }

  async release(_key: string, owner: string): Promise<boolean> {
    if (this.#serving.has(owner)) this.#serving.set(owner, true);
    return this.#end(owner);
  }

  /** Known by the name of its connection: a lock of PostgreSQL has no owner of ours. */
  async holder(key: string): Promise<LeaseHolder | undefined> {
    const { rows } = await this.#pool.query(holderOf(await advisoryKey(this.#namespace, key)));
    const [row] = rows;
    return row && { owner: row.owner, heldMs: undefined, leftMs: Infinity };
  }

  async #end(owner: string): Promise<boolean> {
    const session = this.#sessions.get(owner);
    if (session === undefined) return false;
    this.#sessions.delete(owner);
    let isFreed = false;
    try {
      // A connection that has not answered for a time to live is dead: nothing is asked of it any more.
      if (session.proved.agoMs < session.ttlMs) isFreed = await unlock(session);
    } finally {
      giveBack(session, isFreed);
    }
    return isFreed;
  }

  /** A pooler that gives each transaction another connection gives the lock to a client that never asked for it. */
  async #refusePooler(client: PostgresClient): Promise<void> {
    const { rows } = await answerWithin(commandTimeoutMs, client.query('select pg_backend_pid() as pid'));
    const { processID } = client as { processID?: number | null };
    if (typeof processID === 'number' && processID !== rows[0].pid) throw new PoolerError();
    this.#isDirect = true;
  }
}

interface Taken {
  readonly got: boolean;
  readonly token: string;
  readonly before: Record<string, string>;
}

/** Sends the statements and their report as one text, so that they are one round trip and one transaction. */
async function take(session: Session, statements: string, timeoutMs: number): Promise<Taken> {
  session.proved = new Moment();
  const answers = await answerWithin(timeoutMs, answersOf(session.client, `${statements}; ${report}`));
  const { got, token, ...before } = answers.at(-2)!.rows[0] as Taken & Record<string, string>;
  return { got, token, before };
}

async function unlock({ client, lock, before }: Session): Promise<boolean> {
  const restore = names.map((name) => setCall(name, before[name])).join(', ');
  const text = `select pg_advisory_unlock('${lock}'::bigint) as freed; select ${restore}`;
  const [answer] = await answerWithin(commandTimeoutMs, answersOf(client, text));
  return answer!.rows[0].freed === true;
}

/** A broken connection may report twice: it keeps its listener, so that the second report does not end the process. */
function giveBack({ client, onError }: Session, isHealthy: boolean): void {
  if (isHealthy) client.off('error', onError);
  client.release(!isHealthy);
}
