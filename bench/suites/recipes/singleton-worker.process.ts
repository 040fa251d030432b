/** A replica that tells its parent of each piece of work. Started by singleton-worker.ts, and killed by it. */
import { setTimeout as pause } from 'node:timers/promises';
import { PostgresMutex } from 'latchkey/postgres';
import pg from 'pg';
import { poll } from '../../../docs/recipes/naive/singleton-worker.js';
import { singleton } from '../../../docs/recipes/singleton-worker.js';

/** The first argument says where PostgreSQL is; without it, the environment says who works. */
const [address = ''] = process.argv.slice(2);
const stop = new AbortController();
process.on('disconnect', () => process.exit());

async function work(): Promise<void> {
  process.send!('worked');
  await pause(10);
}

if (address === '') await poll(work, stop.signal);
else {
  const pool = new pg.Pool(JSON.parse(address));
  pool.on('error', () => {});
  await singleton(new PostgresMutex(pool, { mode: 'session' }), 'poller', work, stop.signal);
}
