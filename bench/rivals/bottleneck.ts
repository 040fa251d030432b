import Bottleneck from 'bottleneck';
import type { Run } from './rival.js';

export function bottleneck(maxConcurrent: number): Run {
  const limiter = new Bottleneck({ maxConcurrent });
  return (task) => limiter.schedule(task);
}
