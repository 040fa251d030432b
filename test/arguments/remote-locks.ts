import type * as core from 'latchkey';
import * as postgres from 'latchkey/postgres';
import * as redis from 'latchkey/redis';
import {
  aFunction,
  boolean,
  count,
  type Domain,
  duration,
  finite,
  finiteLimit,
  may,
  object,
  oneOf,
  signal,
  string,
} from '../support/wrong-values.js';
import {
  add,
  addKeyedLock,
  addLock,
  addOptions,
  addRetrying,
  idle,
  idleStage,
  nobody,
  onNothing,
  work,
} from './row.js';

const client: postgres.PostgresPool = { connect: nobody, query: nobody };
const key: Domain = (value) => ['string', 'number', 'bigint'].includes(typeof value);
const ttlMs = may((value) => finite(value) && (value as number) >= 100);
const waits = { waitTimeoutMs: may(duration), maxWaiting: may(count) };
const leaseOptions = {
  ttlMs,
  maxHoldMs: may(duration),
  namespace: may(string),
  owner: may(string),
  ...waits,
};
const table = may(
  (value) => string(value) && /^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/.test(value as string),
);
const mode = oneOf('session', 'leaseTable');
const beforeKeepalive: Domain = (value) => ttlMs(value) && ((value as number | undefined) ?? 0) < 25_000;
for (const [required, more] of [
  [{ mode: 'session' }, { ttlMs: beforeKeepalive, trustPooler: may(boolean), shareConnection: may(boolean) }],
  [{ mode: 'leaseTable' }, { table, trustClock: may(boolean) }],
] as const) {
  const allowed = { mode, ...leaseOptions, ...more };
  addOptions(
    'throws',
    'PostgresMutex',
    allowed,
    (value) => new postgres.PostgresMutex(client, value),
    required,
  );
}
addOptions(
  'throws',
  'PostgresSemaphore',
  { name: string, table, trustClock: may(boolean), ...leaseOptions },
  (value) => new postgres.PostgresSemaphore(client, 2, value),
  { name: 'places' },
);
add('throws', 'PostgresSemaphore', onNothing, {
  limit: [finiteLimit, (_, value) => new postgres.PostgresSemaphore(client, value, { name: 'places' })],
});
for (const [what, make] of [
  ['PostgresMutex', (value: never) => new postgres.PostgresMutex(value, { mode: 'session' })],
  ['PostgresSemaphore', (value: never) => new postgres.PostgresSemaphore(value, 2, { name: 'places' })],
] as const) {
  add('throws', what, onNothing, {
    pool: [object, (_, value) => make(value)],
    'pool.connect': [aFunction, (_, connect) => make({ ...client, connect } as never)],
    'pool.query': [aFunction, (_, query) => make({ ...client, query } as never)],
  });
}
const send: redis.RedisSend = nobody;
const subscribe = may(aFunction);
addOptions(
  'throws',
  'RedisMutex',
  { ...leaseOptions, subscribe },
  (value) => new redis.RedisMutex(send, value),
);
addOptions(
  'throws',
  'RedisSemaphore',
  { name: string, ...leaseOptions, subscribe },
  (value) => new redis.RedisSemaphore(send, 2, value),
  { name: 'places' },
);
add('throws', 'RedisMutex', onNothing, { send: [aFunction, (_, value) => new redis.RedisMutex(value)] });
add('throws', 'RedisSemaphore', onNothing, {
  send: [aFunction, (_, value) => new redis.RedisSemaphore(value, 2, { name: 'places' })],
  limit: [finiteLimit, (_, value) => new redis.RedisSemaphore(send, value, { name: 'places' })],
});
for (const [what, make] of Object.entries({
  RedisMutex: () => new redis.RedisMutex(send),
  RedisSemaphore: () => new redis.RedisSemaphore(send, 2, { name: 'places' }),
})) {
  const stage = () => idleStage(make(), () => true);
  add('rejects', `${what}.idle`, stage, {
    options: [may(object), (subject, options) => subject.idle(options)],
    signal: [may(signal), (subject, value) => subject.idle({ signal: value })],
    waitTimeoutMs: [may(duration), (subject, value) => subject.idle({ waitTimeoutMs: value })],
  });
}
const remoteMutexes: [string, () => core.KeyedLock<string>][] = [
  ['PostgresMutex', () => new postgres.PostgresMutex(client, { mode: 'leaseTable' })],
  ['RedisMutex', () => new redis.RedisMutex(send)],
];
for (const [what, make] of remoteMutexes) {
  const stage = () => idleStage(make(), () => true);
  addKeyedLock(what, 'a', stage);
  add('rejects', what, stage, {
    key: [key, (subject, value) => subject.acquire(value)],
  });
  add('rejects', `${what}.run`, stage, {
    key: [key, (subject, value) => subject.run(value, work)],
  });
}
addLock('PostgresSemaphore', () =>
  idleStage(new postgres.PostgresSemaphore(client, 2, { name: 'places' }), () => true),
);
addLock('RedisSemaphore', () => idleStage(new redis.RedisSemaphore(send, 2, { name: 'places' }), () => true));

const prune = (value: unknown, more = {}) =>
  postgres.pruneLeases(client, { olderThanMs: value, ...more } as never);
add('rejects', 'pruneLeases', idle, {
  pool: [object, (_, value) => postgres.pruneLeases(value, { olderThanMs: 1 })],
  olderThanMs: [finite, (_, value) => prune(value)],
  table: [table, (_, value) => prune(1, { table: value })],
});
add('throws', 'leaseTableSchema', onNothing, {
  table: [table, (_, value) => postgres.leaseTableSchema(value)],
});
const isolation = may(oneOf('read committed', 'repeatable read', 'serializable'));
addRetrying('retryTransaction', (value) => postgres.retryTransaction(client, work, value), { isolation });
add('rejects', 'retryTransaction', idle, {
  pool: [object, (_, value) => postgres.retryTransaction(value, work)],
  'pool.connect': [aFunction, (_, connect) => postgres.retryTransaction({ ...client, connect }, work)],
  task: [aFunction, (_, task) => postgres.retryTransaction(client, task)],
});
add('rejects', 'lockedTransaction', idle, {
  pool: [object, (_, value) => postgres.lockedTransaction(value, 'a', work)],
  'pool.connect': [aFunction, (_, connect) => postgres.lockedTransaction({ ...client, connect }, 'a', work)],
  key: [key, (_, value) => postgres.lockedTransaction(client, value, work)],
  task: [aFunction, (_, task) => postgres.lockedTransaction(client, 'a', task)],
  options: [may(object), (_, options) => postgres.lockedTransaction(client, 'a', work, options)],
  waitTimeoutMs: [
    may(duration),
    (_, v) => postgres.lockedTransaction(client, 'a', work, { waitTimeoutMs: v }),
  ],
  signal: [may(signal), (_, value) => postgres.lockedTransaction(client, 'a', work, { signal: value })],
  namespace: [may(string), (_, namespace) => postgres.lockedTransaction(client, 'a', work, { namespace })],
});
const parts = { find: nobody, create: nobody, isConflict: () => false };
addRetrying('getOrCreate', (value) => postgres.getOrCreate(parts, value));
add('rejects', 'getOrCreate', idle, {
  steps: [object, (_, value) => postgres.getOrCreate(value)],
  find: [aFunction, (_, find) => postgres.getOrCreate({ ...parts, find })],
  create: [aFunction, (_, create) => postgres.getOrCreate({ ...parts, create })],
  isConflict: [aFunction, (_, isConflict) => postgres.getOrCreate({ ...parts, isConflict })],
  client: [may(object), (_, client) => postgres.getOrCreate({ ...parts, client })],
  'client.query': [aFunction, (_, query) => postgres.getOrCreate({ ...parts, client: { query } })],
});
const versioned = { read: nobody, change: nobody, write: nobody };
addRetrying('updateVersioned', (value) => postgres.updateVersioned(versioned, value));
add('rejects', 'updateVersioned', idle, {
  steps: [object, (_, value) => postgres.updateVersioned(value)],
  read: [aFunction, (_, read) => postgres.updateVersioned({ ...versioned, read })],
  change: [aFunction, (_, change) => postgres.updateVersioned({ ...versioned, change })],
  write: [aFunction, (_, write) => postgres.updateVersioned({ ...versioned, write })],
});
