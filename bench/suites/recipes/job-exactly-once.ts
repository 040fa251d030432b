import { setTimeout as pause } from 'node:timers/promises';
import type { PostgresPool } from 'latchkey/postgres';
import { jobRuns, runOncePerDay } from '../../../docs/recipes/job-exactly-once.js';
import { runOncePerDay as naiveRunOncePerDay } from '../../../docs/recipes/naive/job-exactly-once.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import type { RecipeCost } from './recipe.js';

const customers = 100;
const days = Array.from({ length: 28 }, (_, n) => `2026-02-${String(n + 1).padStart(2, '0')}`);
type Client = Pick<PostgresPool, 'query'>;
type Way = (
  pool: PostgresPool,
  job: string,
  day: string,
  run: (client: Client) => Promise<unknown>,
) => Promise<boolean>;

export const jobExactlyOnce: RecipeCost = {
  name: 'job-exactly-once',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;

    async function startOver(): Promise<void> {
      await pool.query(`drop table if exists job_runs; drop table if exists invoices; ${jobRuns}`);
      await pool.query('create table invoices (customer int)');
    }
    const invoices = async () => (await pool.query('select from invoices')).rowCount!;
    async function run(client: Client): Promise<void> {
      for (let n = 0; n < customers; n++) await client.query('insert into invoices values ($1)', [n]);
    }

    /** Both replicas wake at two o'clock, to a millisecond or five. */
    async function month(way: Way): Promise<number> {
      await startOver();
      for (const day of days) {
        await replicas.each(async (replica, n) => {
          await pause(n * 5);
          await way(replica, 'invoices', day, run);
        });
      }
      return invoices();
    }

    /** The first run dies half-way, and is tried again. */
    async function secondTry(way: Way): Promise<number> {
      await startOver();
      const dying = async (client: Client) => {
        for (let n = 0; n < customers / 2; n++) await client.query('insert into invoices values ($1)', [n]);
        throw new Error('disk full');
      };
      await way(pool, 'invoices', days[0]!, dying).catch(() => {});
      await way(pool, 'invoices', days[0]!, run);
      return invoices();
    }
    const due = (customers * days.length).toLocaleString('en-US');
    return [
      {
        what: `invoices of 28 nights, ${due} are due; the replicas wake 5 ms apart`,
        naive: await month(naiveRunOncePerDay),
        recipe: await month(runOncePerDay),
      },
      {
        what: `invoices after a run that died half-way and was tried again, ${customers} are due`,
        naive: await secondTry(naiveRunOncePerDay),
        recipe: await secondTry(runOncePerDay),
      },
    ];
  },
};
