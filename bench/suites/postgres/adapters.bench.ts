/** On demand: knex over our pool beside its own tarn, and pg-pool's interface over our pool beside pg-pool. */
import knex, { type Knex } from 'knex';
import pg from 'pg';
import { pooledKnex } from '../../../docs/recipes/connection-knex.js';
import { LeasedPgPool } from '../../../docs/recipes/connection-pg-pool.js';
import { postgresPool } from '../../../docs/recipes/connection-pool-pg.js';
import { startPostgres } from '../../../test/support/engines/postgres.js';
import { quantile } from '../../harness/statistics.js';
import type { Case, Role, Sample, Subject, Suite, Target } from '../../harness/subjects.js';
import { asFastAs } from '../../harness/targets.js';

const max = 10;
const p99 = 'p99, us';
const rounds = { rounds: 61, warmups: 4, budgetMs: 60_000 };

type Query = () => Promise<unknown>;

export const knexPools: Suite = {
  name: 'knex',
  onDemand: true,
  async run(measure) {
    await using server = await startPostgres();
    const config: Knex.Config = { client: 'pg', connection: server.connectionOptions, pool: { min: 0, max } };
    const [theirs, ours] = [knex(config), pooledKnex(config)];
    for (const callers of [8, 64]) await measure(knexBeside(callers, theirs, ours));
    await Promise.all([theirs.destroy(), ours.destroy()]);
  },
};

function knexBeside(callers: number, theirs: Knex, ours: Knex): Case {
  return {
    ...rounds,
    title: `ConnectionPool under knex: ${callers} callers, max ${max}, PostgreSQL, beside tarn`,
    shows: 'knex asks an asynchronous validate at each borrow. Both pools run in one process, on one server.',
    subjects: [
      asCallers('knex with tarn', 'peer', callers, () => theirs.raw('select 1')),
      asCallers('knex with latchkey', 'latchkey', callers, () => ours.raw('select 1'), 'knex with tarn'),
    ],
  };
}

export const pgPools: Suite = {
  name: 'pg-pool',
  onDemand: true,
  async run(measure) {
    await using server = await startPostgres();
    const theirs = new pg.Pool({ ...server.connectionOptions, max });
    const ours = new LeasedPgPool(postgresPool(server.connectionOptions, { max }));
    for (const callers of [8, 64, 1_000]) await measure(pgPoolBeside(callers, theirs, ours));
    await Promise.all([theirs.end(), ours.end()]);
  },
};

function pgPoolBeside(callers: number, theirs: pg.Pool, ours: pg.Pool): Case {
  return {
    ...rounds,
    title: `ConnectionPool as a pg.Pool: ${callers.toLocaleString('en-US')} callers, max ${max}, PostgreSQL, beside pg-pool`,
    shows: 'The interface of pg-pool over our pool. Both pools run in one process, on one server.',
    subjects: [
      asCallers('pg-pool', 'peer', callers, () => theirs.query('select 1')),
      asCallers('latchkey as a pg.Pool', 'latchkey', callers, () => ours.query('select 1'), 'pg-pool'),
    ],
  };
}

function asCallers(name: string, role: Role, callers: number, query: Query, rival?: string): Subject {
  const targets = rival === undefined ? [] : [asFastAs(1, rival), tailAtMost(1.1, rival)];
  return { name, role, targets, sample: () => sampleCallers(callers, query) };
}

/** The time of 2,000 queries, and the p99 of the time that a caller waits for one query. */
async function sampleCallers(callers: number, query: Query): Promise<Sample> {
  const latencies: number[] = [];
  const caller = async () => {
    for (let i = 0; i < 2_000 / callers; i++) {
      const startedMs = performance.now();
      await query();
      latencies.push(performance.now() - startedMs);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  const cost = performance.now() - startedMs;
  return { cost, counts: { [p99]: quantile(latencies, 0.99) * 1_000 } };
}

function tailAtMost(limit: number, other: string): Target {
  return {
    label: `p99 <= ${limit}x ${other}`,
    check: (figures, subject) => {
      const ratio = figures.count(subject, p99) / figures.count(other, p99);
      return { figure: `${ratio.toPrecision(3)}x`, ok: ratio <= limit };
    },
  };
}
