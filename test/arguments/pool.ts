import * as core from 'latchkey';
import { aFunction, boolean, count, duration, limit, may, object } from '../support/wrong-values.js';
import { add, addKeyedLock, addOptions, idleStage, onNothing } from './row.js';

const connector = { connect: () => ({}), close() {} };
const pool = () => {
  const subject = new core.ConnectionPool<object, string>(connector, { max: 1 });
  const stage = idleStage(subject, () => {
    const { leased, waiting, connecting } = subject.stats();
    return leased + waiting + connecting === 0;
  });
  return stage;
};
const poolAsLock = () => {
  const { subject, ...rest } = pool();
  const lock = {
    run: (key: never, task: never, options?: core.WaitOptions) => subject.use(key, task, options),
    acquire: (key: never, options?: core.WaitOptions) => subject.acquire(key, options),
  };
  return { subject: lock as unknown as core.KeyedLock<never>, ...rest };
};
addKeyedLock('ConnectionPool', 'a' as never, poolAsLock, 'use');
add('rejects', 'ConnectionPool.close', pool, {
  options: [may(object), (subject, options) => subject.close(options)],
  graceMs: [may(duration), (subject, graceMs) => subject.close({ graceMs })],
  drain: [may(boolean), (subject, drain) => subject.close({ drain })],
});
const bounds = ['max', 'leasesPerConnection', 'maxConnecting', 'maxConnectingTotal', 'maxUses'];
const counts = ['maxWaiting', 'maxWaitingPerKey', 'minIdle'];
const durations = [
  ...['waitTimeoutMs', 'connectTimeoutMs', 'closeTimeoutMs', 'idleTimeoutMs', 'keepAliveMs', 'maxLifetimeMs'],
  ...['validateAfterIdleMs', 'validateTimeoutMs', 'leakWarnAfterMs'],
];
addOptions(
  'throws',
  'ConnectionPool',
  {
    ...Object.fromEntries(bounds.map((name) => [name, may(limit)])),
    ...Object.fromEntries(counts.map((name) => [name, may(count)])),
    maxPerKey: may((value) => limit(value) || aFunction(value)),
    ...Object.fromEntries(durations.map((name) => [name, may(duration)])),
    order: may(object),
    onEvent: may(aFunction),
  },
  (value) => new core.ConnectionPool(connector, value),
);
add('throws', 'ConnectionPool.max', pool, {
  max: [
    limit,
    (subject, max) => {
      subject.max = max;
    },
  ],
});
/** A connection in use, and what its `connect` hook was given. */
add(
  'throws',
  'ConnectContext.capacity',
  () => {
    let context!: core.ConnectContext;
    const connect = (_: string, given: core.ConnectContext) => {
      context = given;
      return {};
    };
    const subject = new core.ConnectionPool<object, string>(
      { connect, close() {} },
      { leasesPerConnection: 5 },
    );
    void subject.use('a', () => {});
    return { subject: context, free: () => subject.stats().waiting <= 1 };
  },
  { leases: [count, (context, leases) => context.capacity(leases)] },
);
add('throws', 'ConnectionPool', onNothing, {
  connector: [object, (_, value) => new core.ConnectionPool(value)],
});
for (const hook of [
  'connect',
  'close',
  'isAlive',
  'validate',
  'reset',
  'isReusable',
  'ref',
  'unref',
  'keyId',
]) {
  const allows = hook in connector ? aFunction : may(aFunction);
  add('throws', 'ConnectionPool', onNothing, {
    [`connector.${hook}`]: [allows, (_, value) => new core.ConnectionPool({ ...connector, [hook]: value })],
  });
}
