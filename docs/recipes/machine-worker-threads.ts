/**
 * "Each worker thread loads a model that takes 6 GB. Two of them fit into the memory of the GPU, and other processes use it too."
 *
 * A semaphore of the machine counts the threads of all processes. A thread that is terminated, and a process that runs out of
 * memory, give their place back without any code.
 */
import type { Limiter } from 'latchkey';
import { MachineSemaphore } from 'latchkey/machine';

const places = (namespace: string): Limiter => new MachineSemaphore(2, { name: 'gpu', namespace });

/** Call it in the thread. Waits for one of the two places; an abort of `signal` ends the wait. */
export function onGpu<T>(namespace: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return places(namespace).run(work, { signal });
}
