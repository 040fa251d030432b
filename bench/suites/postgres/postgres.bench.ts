/** B11, on demand: starts its own PostgreSQL. */
import { ConnectionPool } from 'latchkey';
import pg from 'pg';
import { startPostgres } from '../../../test/support/engines/postgres.js';
import { scenario } from '../../harness/stopwatch.js';
import type { Case, Suite } from '../../harness/subjects.js';
import { asFastAs, countAtMost } from '../../harness/targets.js';

const users = 50;
const queriesPerUser = 200;
const max = 10;

function tenThousandQueries(config: pg.ClientConfig): Case {
  return {
    title: 'B11 ConnectionPool: 10,000 queries by 50 users, max 10, PostgreSQL, beside pg-pool',
    shows: 'The keyed pool must not be slower than the pool that the driver ships; pg-pool has no keys.',
    rounds: 9,
    warmups: 3,
    budgetMs: 15_000,
    subjects: [
      scenario({ name: 'pg-pool', role: 'peer' }, () => withPgPool(config)),
      scenario(
        {
          name: 'latchkey',
          role: 'latchkey',
          targets: [asFastAs(0.95, 'pg-pool'), countAtMost(max, 'connects')],
        },
        () => withLatchkey(config),
      ),
    ],
  };
}

async function withPgPool(config: pg.ClientConfig) {
  const pool = new pg.Pool({ ...config, max });
  let connects = 0;
  pool.on('connect', () => void connects++);
  await asUsers(() => pool.query('select 1'));
  await pool.end();
  return { connects };
}

async function withLatchkey(config: pg.ClientConfig) {
  let connects = 0;
  const pool = new ConnectionPool<pg.Client>(
    {
      async connect(_key, { lost }) {
        connects++;
        const client = new pg.Client(config);
        client.on('error', lost);
        await client.connect();
        return client;
      },
      close: (client) => client.end(),
    },
    { max },
  );
  await asUsers(() => pool.use((client) => client.query('select 1')));
  await pool.close();
  return { connects };
}

async function asUsers(query: () => Promise<unknown>): Promise<void> {
  const user = async () => {
    for (let i = 0; i < queriesPerUser; i++) await query();
  };
  await Promise.all(Array.from({ length: users }, user));
}

export const postgres: Suite = {
  name: 'pg',
  onDemand: true,
  async run(measure) {
    const server = await startPostgres();
    try {
      await measure(tenThousandQueries(server.connectionOptions));
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
};
