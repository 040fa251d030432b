import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { count, type Domain, duration, finiteLimit, may } from '../support/wrong-values.js';
import { add, addKeyedLock, addLock, addOptions, idleStage, onNothing, work } from './row.js';

const text: Domain = (value) => typeof value === 'string' && !/\0|\p{Surrogate}/u.test(value);
const key: Domain = (value) => text(value) || typeof value === 'number' || typeof value === 'bigint';
const options = {
  namespace: may(text),
  directory: may((value) => typeof value === 'string'),
  waitTimeoutMs: may(duration),
  maxWaiting: may(count),
};
const namespace = crypto.randomUUID();

addOptions('throws', 'MachineMutex', options, (value) => new MachineMutex(value));
addOptions(
  'throws',
  'MachineSemaphore',
  { ...options, name: text },
  (value) => new MachineSemaphore(2, value),
  { name: 'places' },
);
add('throws', 'MachineSemaphore', onNothing, {
  limit: [finiteLimit, (_, value) => new MachineSemaphore(value, { name: 'places' })],
});
const mutex = () => idleStage(new MachineMutex({ namespace }), () => true);
addKeyedLock('MachineMutex', 'a', mutex);
add('rejects', 'MachineMutex', mutex, { key: [key, (subject, value) => subject.acquire(value)] });
add('rejects', 'MachineMutex.run', mutex, { key: [key, (subject, value) => subject.run(value, work)] });
addLock('MachineSemaphore', () =>
  idleStage(new MachineSemaphore(2, { name: 'places', namespace }), () => true),
);
