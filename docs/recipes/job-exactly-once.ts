/**
 * "The nightly report went out twice: both replicas woke at two o'clock."
 *
 * The note that the job ran and what the job wrote are one transaction under one lock. They happen together, once, or not at all.
 * A lock with a time to live would not be enough: a holder that was paused goes on when its lock has ended.
 */
import { lockedTransaction, type PostgresClient, type PostgresPool } from 'latchkey/postgres';

export const jobRuns = 'create table job_runs (job text, day date, primary key (job, day))';

/** Resolves with `true` on the replica that ran the job. */
export function runOncePerDay(
  pool: PostgresPool,
  job: string,
  day: string,
  run: (client: PostgresClient) => Promise<unknown>,
): Promise<boolean> {
  return lockedTransaction(pool, `job:${job}`, async (client) => {
    const sql = 'insert into job_runs values ($1, $2) on conflict do nothing';
    const { rowCount } = await client.query(sql, [job, day]);
    if (rowCount === 0) return false;
    await run(client);
    return true;
  });
}
