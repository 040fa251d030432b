import PQueue from 'p-queue';
import type { Run } from './rival.js';

export function pQueueRun(concurrency: number): Run {
  const queue = new PQueue({ concurrency });
  return (task) => queue.add(task);
}
