import * as core from 'latchkey';
import {
  aFunction,
  count,
  type Domain,
  duration,
  finiteLimit,
  may,
  object,
  oneOf,
  safely,
} from '../support/wrong-values.js';
import { add, addKeyedLock, addLock, addOptions, idleStage, onNothing, wait, work } from './row.js';

const mutex = () => {
  const subject = new core.Mutex();
  return idleStage(
    subject,
    () => !subject.locked && subject.waiting === 0,
    () => {
      const permit = subject.tryAcquire();
      return () => permit?.release();
    },
  );
};
addLock('Mutex', mutex);

const keyedMutex = () => {
  const subject = new core.KeyedMutex<unknown>();
  return idleStage(
    subject,
    () => subject.size === 0,
    () => {
      const lease = subject.tryAcquire('a');
      return () => lease?.release();
    },
  );
};
addKeyedLock('KeyedMutex', 'a', keyedMutex);
const iterable: Domain = (value) =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, Symbol.iterator) === 'function';
const keysOf: Domain = (value) => safely(() => iterable(value));
add('rejects', 'KeyedMutex.acquireAll', keyedMutex, {
  keys: [keysOf, (subject, keys) => subject.acquireAll(keys)],
  options: [may(object), (subject, options) => subject.acquireAll(['a'], options)],
  signal: [wait.signal, (subject, value) => subject.acquireAll(['a'], { signal: value })],
  waitTimeoutMs: [
    wait.waitTimeoutMs,
    (subject, value) => subject.acquireAll(['a'], { waitTimeoutMs: value }),
  ],
});
add('rejects', 'KeyedMutex.runAll', keyedMutex, {
  keys: [keysOf, (subject, keys) => subject.runAll(keys, work)],
  task: [aFunction, (subject, task) => subject.runAll(['a'], task)],
  options: [may(object), (subject, options) => subject.runAll(['a'], work, options)],
  signal: [wait.signal, (subject, value) => subject.runAll(['a'], work, { signal: value })],
  waitTimeoutMs: [
    wait.waitTimeoutMs,
    (subject, value) => subject.runAll(['a'], work, { waitTimeoutMs: value }),
  ],
});

const semaphore = () => {
  const subject = new core.Semaphore(2 ** 40);
  return idleStage(
    subject,
    () => subject.held === 0 && subject.waiting === 0 && subject.limit === 2 ** 40,
    () => {
      const permit = subject.tryAcquire(2 ** 40);
      return () => permit?.release();
    },
  );
};
/** A weight above the limit is refused by name as well. */
const weight = may((value) => finiteLimit(value) && (value as number) <= 2 ** 40);
addLock('Semaphore', semaphore);
add('throws', 'Semaphore', onNothing, {
  limit: [count, (_, value) => new core.Semaphore(value)],
  options: [may(object), (_, value) => new core.Semaphore(1, value)],
  maxWaiting: [may(count), (_, maxWaiting) => new core.Semaphore(1, { maxWaiting })],
  waitTimeoutMs: [may(duration), (_, waitTimeoutMs) => new core.Semaphore(1, { waitTimeoutMs })],
});
for (const Lock of [core.Mutex, core.KeyedMutex]) {
  const options = { maxWaiting: may(count), waitTimeoutMs: may(duration) };
  addOptions('throws', Lock.name, options, (value) => new Lock(value));
}
add('throws', 'Semaphore', semaphore, {
  limit: [
    count,
    (subject, value) => {
      subject.limit = value;
    },
  ],
});
add('throws', 'Semaphore.tryAcquire', semaphore, {
  weight: [weight, (subject, value) => subject.tryAcquire(value)],
});
add('rejects', 'Semaphore.acquire', semaphore, {
  weight: [weight, (subject, value) => subject.acquire({ weight: value })],
});
add('rejects', 'Semaphore.run', semaphore, {
  weight: [weight, (subject, value) => subject.run(work, { weight: value })],
});

const adaptive = () => {
  const subject = new core.AdaptiveSemaphore({ algorithm: new core.AimdLimit({ min: 1, max: 1 }) });
  return idleStage(
    subject,
    () => subject.held === 0 && subject.waiting === 0,
    () => {
      const permit = subject.tryAcquire();
      return () => permit?.release();
    },
  );
};
addLock('AdaptiveSemaphore', adaptive);
for (const [what, make] of Object.entries({
  Mutex: mutex,
  KeyedMutex: keyedMutex,
  Semaphore: semaphore,
  AdaptiveSemaphore: adaptive,
})) {
  const idle = (subject: { idle(options?: core.WaitOptions): Promise<void> }, options: core.WaitOptions) =>
    subject.idle(options);
  add<Parameters<typeof idle>[0]>('rejects', `${what}.idle`, make, {
    options: [may(object), idle],
    signal: [wait.signal, (subject, value) => idle(subject, { signal: value })],
    waitTimeoutMs: [wait.waitTimeoutMs, (subject, value) => idle(subject, { waitTimeoutMs: value })],
  });
}
const adaptivePermit = () => {
  const { subject, free } = adaptive();
  return { subject: subject.tryAcquire() as core.AdaptivePermit, free };
};
add('throws', 'AdaptivePermit.release', adaptivePermit, {
  outcome: [may(oneOf('success', 'overload', 'ignore')), (permit, outcome) => permit.release(outcome)],
});
