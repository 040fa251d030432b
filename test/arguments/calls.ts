import * as core from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { exposeKeys } from 'latchkey/diagnostics';
import { monitorEventLoop, yieldEvery } from 'latchkey/event-loop';
import { SingleFlight } from 'latchkey/single-flight';
import {
  aFunction,
  boolean,
  duration,
  finite,
  limit,
  may,
  object,
  oneOf,
  safely,
  signal,
} from '../support/wrong-values.js';
import { add, addOptions, addRetrying, idle, idleStage, onNothing, wait, work } from './row.js';

addRetrying('retry', (value) => core.retry(work, value));
add('rejects', 'retry', idle, {
  task: [aFunction, (_, task) => core.retry(task)],
  'budget.tryWithdraw': [
    aFunction,
    (_, v) => core.retry(work, { budget: { tryWithdraw: v, deposit() {} } as never }),
  ],
  'budget.deposit': [
    aFunction,
    (_, v) => core.retry(work, { budget: { tryWithdraw() {}, deposit: v } as never }),
  ],
});

add('rejects', 'gatherSettled', idle, {
  items: [(value) => safely(() => gatherable(value)), (_, items) => core.gatherSettled(items, work)],
  worker: [aFunction, (_, worker) => core.gatherSettled([1], worker)],
  options: [may(object), (_, options) => core.gatherSettled([1], work, options)],
  concurrency: [may(limit), (_, concurrency) => core.gatherSettled([1], work, { concurrency })],
  limiter: [may(object), (_, limiter) => core.gatherSettled([1], work, { limiter })],
  'limiter.run': [aFunction, (_, run) => core.gatherSettled([1], work, { limiter: { run } })],
  signal: [may(signal), (_, value) => core.gatherSettled([1], work, { signal: value })],
  stopWhen: [may(aFunction), (_, stopWhen) => core.gatherSettled([1], work, { stopWhen })],
  onProgress: [may(aFunction), (_, onProgress) => core.gatherSettled([1], work, { onProgress })],
});

add('throws', 'gatherStream', onNothing, {
  items: [(value) => safely(() => gatherable(value)), (_, items) => core.gatherStream(items, work)],
  worker: [aFunction, (_, worker) => core.gatherStream([1], worker)],
  options: [may(object), (_, options) => core.gatherStream([1], work, options)],
  concurrency: [may(limit), (_, concurrency) => core.gatherStream([1], work, { concurrency })],
  limiter: [may(object), (_, limiter) => core.gatherStream([1], work, { limiter })],
  'limiter.run': [aFunction, (_, run) => core.gatherStream([1], work, { limiter: { run } })],
  signal: [may(signal), (_, value) => core.gatherStream([1], work, { signal: value })],
  stopWhen: [may(aFunction), (_, stopWhen) => core.gatherStream([1], work, { stopWhen })],
  onProgress: [may(aFunction), (_, onProgress) => core.gatherStream([1], work, { onProgress })],
  order: [may(oneOf('input', 'completion')), (_, order) => core.gatherStream([1], work, { order })],
});

function gatherable(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  const members = Object(value) as object;
  return [Symbol.iterator, Symbol.asyncIterator].some(
    (name) => typeof Reflect.get(members, name) === 'function',
  );
}

addOptions(
  'throws',
  'BoundedQueue',
  {
    capacity: limit,
    policy: may(oneOf('wait', 'reject', 'drop-oldest', 'drop-newest', 'sample')),
    onDrop: may(aFunction),
    onOverflow: may(aFunction),
    overflowIntervalMs: may(duration),
    random: may(aFunction),
  },
  (value) => new BoundedQueue(value),
  { capacity: 5 },
);
const queue = () => {
  const subject = new BoundedQueue<string>({ capacity: 1 });
  return idleStage(subject, () => subject.size + subject.inFlight + subject.waiting === 0);
};
add('rejects', 'BoundedQueue.offer', queue, {
  options: [may(object), (subject, options) => subject.offer('item', options)],
  signal: [wait.signal, (subject, value) => subject.offer('item', { signal: value })],
  waitTimeoutMs: [wait.waitTimeoutMs, (subject, value) => subject.offer('item', { waitTimeoutMs: value })],
  critical: [may(boolean), (subject, critical) => subject.offer('item', { critical })],
});
add('rejects', 'BoundedQueue.take', queue, {
  max: [may(limit), (subject, max) => subject.take(max)],
  options: [may(object), (subject, options) => subject.take(1, options)],
  signal: [wait.signal, (subject, value) => subject.take(1, { signal: value })],
  waitTimeoutMs: [wait.waitTimeoutMs, (subject, value) => subject.take(1, { waitTimeoutMs: value })],
});

addOptions('throws', 'SingleFlight', { waitTimeoutMs: may(duration) }, (value) => new SingleFlight(value));
const flights = () => {
  const subject = new SingleFlight<string, void>();
  return idleStage(subject, () => subject.size === 0);
};
add('rejects', 'SingleFlight.run', flights, {
  call: [aFunction, (subject, call) => subject.run('a', call)],
  options: [may(object), (subject, options) => subject.run('a', work, options)],
  signal: [wait.signal, (subject, value) => subject.run('a', work, { signal: value })],
  waitTimeoutMs: [wait.waitTimeoutMs, (subject, value) => subject.run('a', work, { waitTimeoutMs: value })],
});

addOptions(
  'throws',
  'monitorEventLoop',
  {
    thresholdMs: may(finite),
    budget: may((value) => finite(value) && (value as number) <= 1),
    windowMs: may(finite),
    onBlock: may(aFunction),
    onOverBudget: may(aFunction),
  },
  (value) => monitorEventLoop(value),
);
add('throws', 'yieldEvery', onNothing, { sliceMs: [duration, (_, value) => yieldEvery(value)] });
add('throws', 'exposeKeys', onNothing, { exposed: [boolean, (_, value) => exposeKeys(value)] });
