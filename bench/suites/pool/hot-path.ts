/** B6, B7: no network and no dial, so the time is the cost of the pool itself. */
import { createPool } from 'generic-pool';
import { ConnectionPool } from 'latchkey';
import { Pool as LightningPool } from 'lightning-pool';
import { Pool as SequelizePool } from 'sequelize-pool';
import { Pool as Tarn } from 'tarn';
import { type Callers, crowdOf } from '../../harness/callers.js';
import { resolveInTurn } from '../../harness/floors.js';
import { burst, crowd as callersAtOnce, operation } from '../../harness/stopwatch.js';
import type { Case, Role, Subject } from '../../harness/subjects.js';
import { asFastAs, atMost } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { lightningPool } from '../../rivals/lightning-pool.js';
import { type MakePool, useOf } from '../../rivals/rival.js';
import { sequelizePool, sequelizePoolUse } from '../../rivals/sequelize-pool.js';
import { tarn } from '../../rivals/tarn.js';
import { inMemory, noWork } from './pool-subjects.js';

const connector = { connect: async () => ({}), close: async () => {} };
const factory = { create: connector.connect, destroy: connector.close };

export const idleConnection: Case = {
  title: 'B6 ConnectionPool: acquire() and release() of an idle connection, in memory',
  shows: 'The cost of each request that finds an idle connection.',
  rounds: 9,
  warmups: 4,
  subjects: [
    operation({ name: 'await a resolved promise', role: 'floor' }, () => Promise.resolve()),
    arrayAndClock(),
    latchkeyOneHost(),
    latchkeyHundredHosts(),
    genericIdle(),
    tarnIdle(),
    lightningIdle(),
    sequelizeIdle(),
  ],
};

const { performance: kept } = globalThis;

export const clockAlone: Case = {
  title: 'B6 ConnectionPool: the clock alone, in memory',
  shows:
    'A pool reads the clock twice per request: for how long the connection was idle, and since when it is idle again.',
  rounds: 9,
  warmups: 4,
  subjects: [
    operation({ name: 'await a resolved promise', role: 'floor' }, () => Promise.resolve()),
    operation({ name: 'the same, and performance.now() twice', role: 'part' }, () => {
      performance.now();
      performance.now();
      return Promise.resolve();
    }),
    operation({ name: 'the same, with `performance` looked up once', role: 'part' }, () => {
      kept.now();
      kept.now();
      return Promise.resolve();
    }),
  ],
};

/** The least that a pool does: an array of idle connections, and since when each of them is idle. */
function arrayAndClock(): Subject {
  const idle = [{ sinceMs: performance.now() }];
  return operation(
    { name: 'pop, push and two readings of the clock', role: 'part' },
    () => {
      const connection = idle.pop()!;
      if (performance.now() - connection.sinceMs > 60_000) throw new Error('too old');
      return Promise.resolve(connection);
    },
    (connection) => {
      connection.sinceMs = performance.now();
      idle.push(connection);
    },
  );
}

const validate = async () => true;
const waitTimeoutMs = 30_000;

export const validatedConnection: Case = {
  title: 'B6 ConnectionPool: acquire() and release() with an asynchronous validate before each, in memory',
  shows:
    'What knex and others do at each borrow. The check itself is one resolved promise, and each wait has a timeout of 30 s.',
  rounds: 9,
  warmups: 4,
  subjects: [
    operation({ name: 'await the check, then a resolved promise', role: 'floor' }, async () => {
      await validate();
      return Promise.resolve();
    }),
    latchkeyValidated(),
    genericValidated(),
    tarnValidated(),
    lightningValidated(),
  ],
};

function latchkeyValidated(): Subject {
  const options = { validateAfterIdleMs: 0, waitTimeoutMs };
  const pool = new ConnectionPool<object, number>({ ...connector, validate }, options);
  return operation(
    { name: 'latchkey', role: 'latchkey', targets: [asFastAs(1, 'tarn'), asFastAs(1, 'generic-pool')] },
    () => pool.acquire(1),
    (lease) => lease.release(),
  );
}

function genericValidated(): Subject {
  const options = { max: 10, testOnBorrow: true, acquireTimeoutMillis: waitTimeoutMs };
  const pool = createPool({ ...factory, validate }, options);
  return operation(
    { name: 'generic-pool', role: 'peer' },
    () => pool.acquire(),
    (connection) => void pool.release(connection),
  );
}

function tarnValidated(): Subject {
  // Its types know no promise here; it follows one, and knex gives it one.
  const hooks = { ...factory, validate: validate as unknown as () => boolean };
  const pool = new Tarn({ ...hooks, min: 0, max: 10, acquireTimeoutMillis: waitTimeoutMs });
  return operation(
    { name: 'tarn', role: 'peer' },
    () => pool.acquire().promise,
    (connection) => void pool.release(connection),
  );
}

function lightningValidated(): Subject {
  const options = { max: 10, validation: true, acquireTimeoutMillis: waitTimeoutMs };
  const pool = new LightningPool({ ...factory, validate }, options);
  return operation(
    { name: 'lightning-pool', role: 'peer' },
    () => pool.acquire(),
    (connection) => pool.release(connection),
  );
}

function latchkeyOneHost(): Subject {
  const pool = new ConnectionPool<object, number>(connector);
  const targets = [
    atMost(6, 'floor'),
    asFastAs(1, 'generic-pool'),
    asFastAs(1.5, 'tarn'),
    asFastAs(1, 'lightning-pool'),
  ];
  return operation(
    { name: 'latchkey', role: 'latchkey', targets },
    () => pool.acquire(1),
    (lease) => lease.release(),
  );
}

function latchkeyHundredHosts(): Subject {
  const pool = new ConnectionPool<object, number>(connector, { max: 100 });
  let turn = 0;
  const targets = [asFastAs(0.9, 'latchkey')];
  return operation(
    { name: 'latchkey, 100 hosts', role: 'latchkey', targets },
    () => pool.acquire(turn++ % 100),
    (lease) => lease.release(),
  );
}

function genericIdle(): Subject {
  const pool = createPool(factory, { max: 10 });
  return operation(
    { name: 'generic-pool', role: 'peer' },
    () => pool.acquire(),
    (connection) => void pool.release(connection),
  );
}

function tarnIdle(): Subject {
  const pool = new Tarn({ ...factory, min: 0, max: 10 });
  return operation(
    { name: 'tarn', role: 'peer' },
    () => pool.acquire().promise,
    (connection) => void pool.release(connection),
  );
}

function lightningIdle(): Subject {
  const pool = new LightningPool(factory, { max: 10 });
  return operation(
    { name: 'lightning-pool', role: 'peer' },
    () => pool.acquire(),
    (connection) => pool.release(connection),
  );
}

function sequelizeIdle(): Subject {
  const pool = new SequelizePool({ ...factory, validate: () => true, min: 0, max: 10 });
  return operation(
    { name: 'sequelize-pool', role: 'peer' },
    () => pool.acquire(),
    (connection) => pool.release(connection),
  );
}

export const thousandCallers: Case = {
  title: 'B7 ConnectionPool: 1,000 requests at once for 10 connections, in memory',
  shows:
    'The cost per request when all but ten must wait; on the floor, each request awaits its own promise.',
  rounds: 11,
  warmups: 2,
  subjects: [
    burst({ name: 'a promise each, ten at a time', role: 'floor' }, 1_000, () =>
      resolveInTurn(1_000, noWork, 10),
    ),
    crowd('latchkey', 'latchkey', latchkeyPool),
    crowd('generic-pool', 'peer', genericPool),
    crowd('tarn', 'peer', tarn),
    crowd('lightning-pool', 'peer', lightningPool),
    crowd('sequelize-pool', 'peer', sequelizePool),
    crowd('sequelize-pool, wrapped as use', 'peer', sequelizePoolUse),
  ],
};

/** Warm-up rounds open the connections before the first measured round. */
function crowd(name: string, role: Role, makePool: MakePool): Subject {
  const targets = role === 'latchkey' ? [atMost(3, 'floor'), asFastAs(1, 'lightning-pool')] : [];
  const pool = makePool(connector, { max: 10 });
  return callersAtOnce({ name, role, targets }, 1_000, () => useOf(pool, 1), noWork);
}

export const tenThousandWaiters: Case = {
  title:
    'B7 ConnectionPool: 10,000 requests at once for 10 connections, in memory, with a wait timeout of 30 s',
  shows: 'The cost of a queue, including one timeout per waiter.',
  rounds: 11,
  warmups: 2,
  subjects: [
    waiters('latchkey', 'latchkey', latchkeyPool, 30_000),
    waiters('latchkey, no timeout', 'latchkey', latchkeyPool, Infinity),
    waiters('generic-pool', 'peer', genericPool, 30_000),
    waiters('tarn', 'peer', tarn, 30_000),
    waiters('lightning-pool', 'peer', lightningPool, 30_000),
    waiters('sequelize-pool', 'peer', sequelizePool, 30_000),
  ],
};

function waiters(name: string, role: Role, makePool: MakePool, waitTimeoutMs: number): Subject {
  const targets = name === 'latchkey' ? [atMost(0.7, 'generic-pool'), atMost(0.6, 'tarn')] : [];
  const terms = { max: 10, waitTimeoutMs };
  let all: Callers | undefined;
  return inMemory({ name, role, targets }, { connectMs: 1, makePool, terms }, async (pool) => {
    const use = useOf(pool, 1);
    all ??= crowdOf(use);
    await all(use, 10_000, noWork);
  });
}
