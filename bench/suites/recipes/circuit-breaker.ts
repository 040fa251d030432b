import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionPool } from 'latchkey';
import type pg from 'pg';
import { guarded } from '../../../docs/recipes/circuit-breaker.js';
import { postgresPool } from '../../../docs/recipes/connection-pool-pg.js';
import { impatient } from '../../../docs/recipes/naive/circuit-breaker.js';
import type { PostgresServer } from '../../../test/support/engines/postgres.js';
import type { RecipeCost } from './recipe.js';

const everyMs = 10;
const outageMs = 10_000;
const halfOpenAfterMs = 1_000;

type Use = <T>(task: (client: pg.Client) => Promise<T>) => Promise<T>;

export const circuitBreaker: RecipeCost = {
  name: 'circuit-breaker',
  async measure(engines) {
    const server = await engines.postgres();
    const naive = await outage(server, impatient);
    const recipe = await outage(server, (pool) => guarded(pool, halfOpenAfterMs));
    return [
      {
        what: 'how long a request waits for its error, mean',
        unit: 'ms',
        naive: naive.meanMs,
        recipe: recipe.meanMs,
      },
      { what: 'most requests that wait at once', naive: naive.most, recipe: recipe.most },
      { what: 'dials while it was down', naive: naive.dials, recipe: recipe.dials },
      { what: 'from its return to the first answer', unit: 'ms', naive: naive.backMs, recipe: recipe.backMs },
    ];
  },
};

/** Requests arrive at a fixed rate, whether the earlier ones have ended or not. */
async function outage(server: PostgresServer, make: (pool: ConnectionPool<pg.Client>) => Use) {
  await using pool = postgresPool(server.connectionOptions, { max: 10 });
  const use = make(pool);
  const waits: number[] = [];
  let [waiting, most, isDown, answers] = [0, 0, false, 0];
  const request = async () => {
    const startedMs = performance.now();
    most = Math.max(most, ++waiting);
    try {
      await use((client) => client.query('SELECT 42'));
      answers++;
    } catch {
      if (isDown) waits.push(performance.now() - startedMs);
    }
    waiting--;
  };
  const load = setInterval(request, everyMs);
  try {
    await sleep(1_000);
    await server.stop();
    isDown = true;
    most = 0;
    await sleep(outageMs);
    isDown = false;
    const dials = pool.stats().connectFailed;
    await server.start();
    const [startedMs, before] = [performance.now(), answers];
    while (answers === before) await sleep(1);
    const backMs = performance.now() - startedMs;
    const meanMs = waits.reduce((sum, ms) => sum + ms, 0) / waits.length;
    return { meanMs, most, dials, backMs };
  } finally {
    clearInterval(load);
    while (waiting > 0) await sleep(1);
  }
}
