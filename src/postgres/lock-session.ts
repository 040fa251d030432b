/** A connection that holds session-level advisory locks: what is set on it meanwhile, and the commands that are sent on it. */
import { answerWithin } from '../calling/with-timeout.js';
import type { LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import { Moment } from '../remote-locks/remote-lease.js';
import { setTimer } from '../runtime/clock.js';
import { advisoryKey, gotIt, holderOf } from './advisory-lock.js';
import { answersOf, connectionOf, type PostgresClient, type PostgresPool } from './postgres-client.js';
import { NoConnectionError, PoolerError } from './postgres-errors.js';

const keepalive = { idleSeconds: 10, intervalSeconds: 5, count: 3 };
/** How long after a connection has died the server frees its locks. */
export const keepaliveMs = (keepalive.idleSeconds + keepalive.intervalSeconds * keepalive.count) * 1_000;
export const commandTimeoutMs = 2_000;

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

export interface Session {
  readonly client: PostgresClient;
  readonly onError: (error: Error) => void;
  /** When the last command was sent that was answered. */
  proved: Moment;
  /** The settings before. */
  before: Record<string, string>;
}

/**
 * A connection of the pool; `undefined` when the caller has left. @throws NoConnectionError with the text of `reason` before the
 * keeper gives up, which does not know why.
 */
export async function connect(
  pool: PostgresPool,
  { signal, ttlMs, hint }: LeaseRequest,
  asked: Moment,
  reason: () => string,
): Promise<PostgresClient | undefined> {
  const controller = new AbortController();
  const patienceMs = Math.max(0, 0.9 * ttlMs - asked.agoMs);
  const timer = setTimer(() => controller.abort(new NoConnectionError(reason())), patienceMs);
  const leave = () => controller.abort();
  signal.addEventListener('abort', leave, { once: true });
  hint?.(reason());
  try {
    return await connectionOf(pool, controller.signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', leave);
    hint?.(undefined);
  }
}

/** A pooler that gives each transaction another connection gives the lock to a client that never asked for it. */
export async function refusePooler(client: PostgresClient): Promise<void> {
  const { rows } = await answerWithin(commandTimeoutMs, () => client.query('select pg_backend_pid() as pid'));
  const { processID } = client as { processID?: number | null };
  if (typeof processID === 'number' && processID !== rows[0].pid) throw new PoolerError();
}

interface Taken {
  readonly got: boolean;
  readonly token: string;
  readonly before: Record<string, string>;
}

/** Sends the statements and their report as one text, so that they are one round trip and one transaction. */
export async function take(session: Session, statements: string, timeoutMs: number): Promise<Taken> {
  session.proved = new Moment();
  const answers = await answerWithin(timeoutMs, () => answersOf(session.client, `${statements}; ${report}`));
  const { got, token, ...before } = answers.at(-2)!.rows[0] as Taken & Record<string, string>;
  return { got, token, before };
}

/** Unlocks; with the last lock of the connection, its settings are set back. */
export async function unlock(
  { client, before }: Session,
  lock: string,
  timeoutMs = commandTimeoutMs,
  isLast = true,
): Promise<boolean> {
  const restore = names.map((name) => setCall(name, before[name])).join(', ');
  const text = `select pg_advisory_unlock('${lock}'::bigint) as freed${isLast ? `; select ${restore}` : ''}`;
  const [answer] = await answerWithin(timeoutMs, () => answersOf(client, text));
  return answer!.rows[0].freed === true;
}

/** A broken connection may report twice: it keeps its listener, so that the second report does not end the process. */
export function giveBack({ client, onError }: Session, isHealthy: boolean): void {
  if (isHealthy) client.off('error', onError);
  client.release(!isHealthy);
}

/** Known by the name of its connection: a lock of PostgreSQL has no owner of ours. */
export async function sessionHolder(
  pool: PostgresPool,
  namespace: string,
  key: string,
): Promise<LeaseHolder | undefined> {
  const { rows } = await pool.query(holderOf(await advisoryKey(namespace, key)));
  const [row] = rows;
  return row && { owner: row.owner, heldMs: undefined, leftMs: Infinity };
}
