import type { PostgresPool } from 'latchkey/postgres';

/** Check whether the job ran, run it, note it. With one replica this is right. */
export async function runOncePerDay(
  pool: PostgresPool,
  job: string,
  day: string,
  run: (pool: PostgresPool) => Promise<unknown>,
): Promise<boolean> {
  const ran = await pool.query('select from job_runs where job = $1 and day = $2', [job, day]);
  if (ran.rowCount !== 0) return false;
  await run(pool);
  await pool.query('insert into job_runs values ($1, $2) on conflict do nothing', [job, day]);
  return true;
}
