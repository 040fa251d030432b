import { Mutex, Semaphore } from 'async-mutex';
import type { Run, RunKeyed } from './rival.js';

export function asyncMutex(): Run {
  const mutex = new Mutex();
  return (task) => mutex.runExclusive(task);
}

export function asyncMutexSemaphore(limit: number): Run {
  const semaphore = new Semaphore(limit);
  return (task) => semaphore.runExclusive(task);
}

export function asyncMutexPerKey(): RunKeyed & { size(): number } {
  const mutexes = new Map<number, Mutex>();
  const run: RunKeyed = (key, task) => {
    let mutex = mutexes.get(key);
    if (mutex === undefined) {
      mutex = new Mutex();
      mutexes.set(key, mutex);
    }
    return mutex.runExclusive(task);
  };
  return Object.assign(run, { size: () => mutexes.size });
}
