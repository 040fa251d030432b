/**
 * On demand: PostgreSQL under something like pgbench on a disk of 8 ms. Each call is one transaction: a wait, a query
 * that takes a millisecond of processor, two updates, one of them of ten rows that all want. 150 callers, and for a
 * while four other sessions that keep the processors busy.
 */
import type { LimitAlgorithm } from 'latchkey';
import pg from 'pg';
import { startPostgres } from '../../../../test/support/engines/postgres.js';
import type { Suite } from '../../../harness/subjects.js';
import { semaphoreOf } from './limits.js';
import { closedLoad, type Notes } from './load.js';
import { comparePhases } from './phases.js';

const callers = 150;
const poolMax = 90;
const otherSessions = 4;
const accounts = 100_000;
const branches = 10;

const schema = `
  create table accounts (id int primary key, balance bigint not null default 0);
  create table branches (id int primary key, balance bigint not null default 0);
  insert into accounts select generate_series(1, ${accounts});
  insert into branches select generate_series(1, ${branches});
  create function transfer(account int, branch int, amount int) returns void language plpgsql as $$
  begin
    perform pg_sleep(0.008);
    perform count(*) from generate_series(1, 8000);
    update accounts set balance = balance + amount where id = account;
    update branches set balance = balance + amount where id = branch;
  end $$;`;

export const adaptivePostgres: Suite = {
  name: 'adaptive-postgres',
  onDemand: true,
  printsItself: true,
  async run() {
    const server = await startPostgres();
    const pool = new pg.Pool({ ...server.connectionOptions, max: poolMax });
    // When the server stops, it ends sessions. Without this listener, their error would end the process.
    pool.on('error', () => {});
    try {
      await pool.query(schema);
      // Otherwise the server does this by itself during a measurement.
      await pool.query('vacuum analyze');
      await comparePhases({
        title: `${callers} callers of PostgreSQL; ${otherSessions} other sessions keep it busy for a while`,
        names: ['calm', 'busy', 'calm'],
        swept: [12, 24, 36, 60, 90],
        load: (algorithm, forMs) => load(pool, algorithm, forMs),
        disturb: () => keepBusy(server.connectionOptions),
      });
    } finally {
      await pool.end();
      await server[Symbol.asyncDispose]();
    }
  },
};

function load(pool: pg.Pool, algorithm: LimitAlgorithm, forMs: number): Promise<Notes> {
  const call = async () => {
    const account = 1 + Math.floor(Math.random() * accounts);
    await pool.query('select transfer($1, $2, 1)', [account, 1 + (account % branches)]);
    return {};
  };
  return closedLoad({ semaphore: semaphoreOf(algorithm), call, waitTimeoutMs: Infinity }, callers, forMs);
}

function keepBusy(config: pg.ClientConfig): () => Promise<void> {
  const others = new pg.Pool({ ...config, max: otherSessions });
  let isOver = false;
  const session = async () => {
    while (!isOver) await others.query('select count(*) from generate_series(1, 200000)');
  };
  const sessions = Array.from({ length: otherSessions }, session);
  return async () => {
    isOver = true;
    await Promise.all(sessions);
    await others.end();
  };
}
