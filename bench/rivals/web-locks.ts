import type { Run } from './rival.js';

interface Locks {
  request<T>(name: string, task: () => Promise<T>): Promise<T>;
}

/** The lock of the platform; Node has it from 24 on. */
export const { locks } = (globalThis as { navigator?: { locks?: Locks } }).navigator ?? {};

let names = 0;

export function webLock(): Run {
  const name = `bench ${names++}`;
  return (task) => locks!.request(name, task);
}
