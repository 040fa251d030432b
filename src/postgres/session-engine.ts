/**
 * Session-level advisory locks: the lock lives as long as the connection that holds it.
 *
 * Each lock has a connection of its own while it is wanted or held; those who wait do so in PostgreSQL, in its order. They wait
 * in slices: a caller who has left is noticed at the end of one, and a lock that was granted too late is freed.
 *
 * The safety argument. A connection may be dead without anybody knowing. The holder asks `select 1` each third of his time
 * to live, and gives up at his deadline, at the latest after `ttlMs`. The server frees the lock of a dead connection after
 * `keepaliveMs`, and not before. So ttlMs must be less than that, which the constructor sees to.
 */

import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../remote-locks/lease-engine.js';
import { advisoryKey } from './advisory-lock.js';
import type { PostgresClient, PostgresPool, PostgresResult } from './postgres-client.js';
import { PoolerError } from './postgres-errors.js';
import { isLockTimeout } from './sql-state.js';

const keepalive = { idleSeconds: 10, intervalSeconds: 5, count: 3 };
/** How long after a connection has died the server frees its locks. */
export const keepaliveMs = (keepalive.idleSeconds + keepalive.intervalSeconds * keepalive.count) * 1_000;
const longestSliceMs = 2_000;

/** The lock must not be lost because its holder is silent, and must be lost when he is dead. */
const settings = {
  idle_session_timeout: 0,
  tcp_keepalives_idle: keepalive.idleSeconds,
  tcp_keepalives_interval: keepalive.intervalSeconds,
  tcp_keepalives_count: keepalive.count,
};
const set = (values: Record<string, number>) =>
  Object.entries(values)
    .map(([name, value]) => `set ${name} = ${value}`)
    .join('; ');
const reset = ['lock_timeout', ...Object.keys(settings)].map((name) => `reset ${name}`).join('; ');

interface Session {
  readonly client: PostgresClient;
  readonly lock: string;
  readonly onError: (error: Error) => void;
}

export class SessionEngine implements LeaseEngine {
  readonly #pool: PostgresPool;
  readonly #namespace: string;
  readonly #sessions = new Map<string, Session>();
  /** Owners who have given up while they were being served. */
  readonly #given = new Set<string>();
  readonly #serving = new Set<string>();
  #isDirect = false;

  constructor(pool: PostgresPool, namespace: string) {
    this.#pool = pool;
    this.#namespace = namespace;
  }

  async acquire(request: LeaseRequest): Promise<LeaseAnswer> {
    const { key, owner } = request;
    this.#serving.add(owner);
    try {
      const lock = await advisoryKey(this.#namespace, key);
      const client = await this.#pool.connect();
      return await this.#lock(client, lock, request);
    } finally {
      this.#serving.delete(owner);
      this.#given.delete(owner);
    }
  }

  async #lock(
    client: PostgresClient,
    lock: string,
    { owner, ttlMs, lost }: LeaseRequest,
  ): Promise<LeaseAnswer> {
    let broken: unknown;
    const onError = (error: Error) => {
      broken ??= error;
      if (this.#sessions.delete(owner)) giveBack(session, false);
      lost(error);
    };
    const session: Session = { client, lock, onError };
    client.on('error', onError);
    try {
      const sliceMs = Math.round(Math.min(longestSliceMs, ttlMs / 2));
      if (!this.#isDirect) await this.#refusePooler(client);
      // One round trip. If the lock is not had in time, all of it is rolled back, the settings too.
      const results = await client.query(
        `${set({ ...settings, lock_timeout: sliceMs })}; select pg_advisory_lock('${lock}');
        select pg_current_xact_id()::text as token`,
      );
      const { rows } = [results].flat().at(-1) as PostgresResult;
      if (broken !== undefined) throw broken;
      this.#sessions.set(owner, session);
      if (this.#given.has(owner)) await this.release('', owner);
      return { token: BigInt(rows[0].token as string) };
    } catch (error) {
      if (this.#sessions.has(owner)) throw error;
      const isFree = isLockTimeout(error);
      // Otherwise nobody knows what state the connection is in.
      giveBack(session, isFree);
      if (isFree) return { freeInMs: 0 };
      throw error;
    }
  }

  async renew(_key: string, owner: string): Promise<boolean> {
    const session = this.#sessions.get(owner);
    if (session === undefined) return false;
    await session.client.query('select 1');
    return this.#sessions.has(owner);
  }

  async release(_key: string, owner: string): Promise<boolean> {
    const session = this.#sessions.get(owner);
    if (session === undefined) {
      if (this.#serving.has(owner)) this.#given.add(owner);
      return false;
    }
    this.#sessions.delete(owner);
    let isFreed = false;
    try {
      const results = await session.client.query(
        `select pg_advisory_unlock('${session.lock}') as freed; ${reset}`,
      );
      const { rows } = [results].flat()[0] as PostgresResult;
      isFreed = rows[0].freed === true;
      return isFreed;
    } finally {
      giveBack(session, isFreed);
    }
  }

  /** A pooler that gives each transaction another connection gives locks to those who never asked. */
  async #refusePooler(client: PostgresClient): Promise<void> {
    const { rows } = await client.query('select pg_backend_pid() as pid');
    const { processID } = client as { processID?: number | null };
    if (typeof processID === 'number' && processID !== rows[0].pid) throw new PoolerError();
    this.#isDirect = true;
  }
}

/** A connection that is broken may say so twice: it keeps its listener, lest the second time end the process. */
function giveBack({ client, onError }: Session, isHealthy: boolean): void {
  if (isHealthy) client.off('error', onError);
  client.release(!isHealthy);
}
