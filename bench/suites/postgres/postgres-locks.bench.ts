/** On demand: PostgreSQL locks beside a polling lock, and three ways to count without lost updates. */
import {
  leaseTableSchema,
  lockedTransaction,
  PostgresMutex,
  type PostgresMutexOptions,
  PostgresSemaphore,
  retryTransaction,
  updateVersioned,
} from 'latchkey/postgres';
import pg from 'pg';
import { startPostgres } from '../../../test/support/engines/postgres.js';
import { duration } from '../../harness/format.js';
import { aligned } from '../../harness/report.js';
import { median } from '../../harness/statistics.js';
import type { Suite } from '../../harness/subjects.js';
import { figuresOf, type LockRow, printLocks } from '../remote-locks/lock-rows.js';

const workers = 16;
const increments = 25;
const rounds = 5;

export const postgresLocks: Suite = {
  name: 'postgres-locks',
  onDemand: true,
  printsItself: true,
  async run() {
    await using server = await startPostgres();
    const pool = new pg.Pool({ ...server.connectionOptions, max: 30 });
    pool.on('error', () => {});
    await pool.query(leaseTableSchema());
    await pool.query(
      'create table counters (id int primary key, n int not null, version int not null default 0)',
    );
    await pool.query('insert into counters values (1, 0)');
    const rows = [
      mutex(pool, 'mode session', { mode: 'session' }),
      mutex(pool, 'mode session, shareConnection', { mode: 'session', shareConnection: true }),
      mutex(pool, 'mode leaseTable', { mode: 'leaseTable' }),
      semaphore(pool),
      polling(pool),
    ];
    printLocks('PostgresMutex, two objects, one key', undefined, await figuresOf(rows));
    await printCounters(pool);
    await pool.end();
  },
};

function mutex(pool: pg.Pool, name: string, options: PostgresMutexOptions): LockRow {
  const sides = [0, 1].map(() => new PostgresMutex(pool, options));
  return {
    name,
    async acquire(side) {
      const lease = await sides[side]!.acquire('key');
      return async () => lease.release();
    },
  };
}

function semaphore(pool: pg.Pool): LockRow {
  const sides = [0, 1].map(() => new PostgresSemaphore(pool, 1, { name: 'name' }));
  return {
    name: 'PostgresSemaphore(1)',
    async acquire(side) {
      const lease = await sides[side]!.acquire();
      return async () => lease.release();
    },
  };
}

/** The usual hand-written lock: try, and try again after 25 ms. */
function polling(pool: pg.Pool): LockRow {
  return {
    name: 'pg_try_advisory_lock, every 25 ms',
    async acquire() {
      const client = await pool.connect();
      for (;;) {
        const { rows } = await client.query('select pg_try_advisory_lock(42) as got');
        if (rows[0].got) break;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      return async () => {
        await client.query('select pg_advisory_unlock(42)');
        client.release();
      };
    },
  };
}

async function printCounters(pool: pg.Pool): Promise<void> {
  let tries = 0;
  const add = async (client: {
    query(sql: string, values?: unknown[]): Promise<{ rows: { n: number }[] }>;
  }) => {
    tries++;
    const { rows } = await client.query('select n from counters where id = 1');
    await client.query('update counters set n = $1 where id = 1', [rows[0]!.n + 1]);
  };
  const ways: Record<string, () => Promise<unknown>> = {
    'naive: read, then write': () => add(pool),
    lockedTransaction: () => lockedTransaction(pool, 'counter', add),
    updateVersioned: () =>
      updateVersioned(
        versioned(pool, () => tries++),
        { attempts: 1_000 },
      ),
    'retryTransaction, serializable': () => retryTransaction(pool, add, { attempts: 1_000 }),
  };
  const times = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  const notes = new Map<string, { lost: number; tries: number }>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, increment] of Object.entries(ways)) {
      tries = 0;
      await pool.query('update counters set n = 0');
      const startedMs = performance.now();
      const worker = async () => {
        for (let i = 0; i < increments; i++) await increment();
      };
      await Promise.all(Array.from({ length: workers }, worker));
      times.get(name)!.push(performance.now() - startedMs);
      const { rows } = await pool.query('select n from counters');
      notes.set(name, { lost: workers * increments - rows[0].n, tries });
    }
  }
  const cells = [...times].map(([name, ms]) => {
    const { lost, tries: tried } = notes.get(name)!;
    return [name, duration(median(ms)), String(lost), String(tried - workers * increments)];
  });
  console.log(`\nOne counter, ${workers} workers, ${increments} increments each`);
  console.log(aligned([['way', 'time', 'lost', 'tried again'], ...cells], false));
}

function versioned(pool: pg.Pool, onTry: () => void) {
  return {
    async read() {
      onTry();
      const { rows } = await pool.query('select n, version from counters where id = 1');
      return { value: rows[0].n as number, version: rows[0].version as number };
    },
    change: (n: number) => n + 1,
    async write(n: number, version: unknown) {
      const sql = 'update counters set n = $1, version = version + 1 where id = 1 and version = $2';
      return (await pool.query(sql, [n, version])).rowCount;
    },
  };
}
