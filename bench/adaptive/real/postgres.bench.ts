/**
 * On demand: PostgreSQL under something like pgbench on a disk of 8 ms. Each call is one transaction: a wait, a query
 * that takes a millisecond of processor, two updates, one of them of ten rows that all want. 150 callers, and for a
 * while four other sessions that keep the processors busy.
 */
import type { LimitAlgorithm } from 'latchkey';
import pg from 'pg';
import { startPostgres } from '../../../test/support/engines/postgres.js';
import type { Suite } from '../../subjects.js';
import { contenders, fixed, semaphoreOf } from './limits.js';
import { closedLoad, figuresOf, followedAfterMs, type Notes, type PhaseFigures } from './load.js';
import { bestFixed, type PhaseOf, printPhases, printVerdict } from './phases.js';

const callers = 150;
const poolMax = 90;
const otherSessions = 4;
const accounts = 100_000;
const branches = 10;
const swept = [6, 12, 24, 36, 48, 64, 90];
/** In seconds. Goodput and durations are those from five seconds after a change; how it was followed is told apart. */
const plan = { busyAt: 9, calmAt: 19, end: 29, settled: 5 };

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
    // Sessions that the server ends when it stops are told of here, or nowhere.
    pool.on('error', () => {});
    try {
      await pool.query(schema);
      const calm = await bestOf(pool);
      const busy = await whileBusy(server.connectionOptions, () => bestOf(pool));
      const rows: PhaseOf[] = [];
      for (const [name, makeLimit] of Object.entries(contenders)) {
        rows.push({
          name,
          phases: await threePhases(server.connectionOptions, pool, makeLimit(), calm, busy),
        });
      }
      console.log(
        `\n${callers} callers of PostgreSQL; ${otherSessions} other sessions keep it busy for a while`,
      );
      printPhases(['calm', 'busy', 'calm'], [calm, busy, calm], rows);
      printVerdict(rows, [calm, busy, calm]);
    } finally {
      await pool.end();
      await server[Symbol.asyncDispose]();
    }
  },
};

function bestOf(pool: pg.Pool): Promise<PhaseFigures> {
  return bestFixed(swept, async (limit, forMs) => {
    const startedMs = performance.now();
    const notes = await load(pool, fixed(limit), forMs + 1_000);
    return figuresOf(notes, startedMs + 1_000, startedMs + 1_000 + forMs);
  });
}

async function threePhases(
  config: pg.ClientConfig,
  pool: pg.Pool,
  algorithm: LimitAlgorithm,
  calm: PhaseFigures,
  busy: PhaseFigures,
) {
  const startedMs = performance.now();
  const at = (second: number) => startedMs + second * 1_000;
  const running = load(pool, algorithm, plan.end * 1_000);
  await untilMs(at(plan.busyAt));
  await whileBusy(config, () => untilMs(at(plan.calmAt)));
  const notes = await running;
  return [
    { ...figuresOf(notes, at(plan.settled), at(plan.busyAt)), followedMs: undefined },
    {
      ...figuresOf(notes, at(plan.busyAt + plan.settled), at(plan.calmAt)),
      followedMs: followedAfterMs(notes, at(plan.busyAt), at(plan.calmAt), busy),
    },
    {
      ...figuresOf(notes, at(plan.calmAt + plan.settled), at(plan.end)),
      followedMs: followedAfterMs(notes, at(plan.calmAt), at(plan.end), calm),
    },
  ];
}

function load(pool: pg.Pool, algorithm: LimitAlgorithm, forMs: number): Promise<Notes> {
  const call = async () => {
    const account = 1 + Math.floor(Math.random() * accounts);
    await pool.query('select transfer($1, $2, 1)', [account, 1 + (account % branches)]);
    return { status: 200 };
  };
  return closedLoad({ semaphore: semaphoreOf(algorithm), call, waitTimeoutMs: Infinity }, callers, forMs);
}

async function whileBusy<T>(config: pg.ClientConfig, task: () => Promise<T>): Promise<T> {
  const others = new pg.Pool({ ...config, max: otherSessions });
  let isOver = false;
  const session = async () => {
    while (!isOver) await others.query('select count(*) from generate_series(1, 200000)');
  };
  const sessions = Array.from({ length: otherSessions }, session);
  try {
    return await task();
  } finally {
    isOver = true;
    await Promise.all(sessions);
    await others.end();
  }
}

function untilMs(atMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, atMs - performance.now()));
}
