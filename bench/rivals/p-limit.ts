import pLimit from 'p-limit';
import type { Run } from './rival.js';

export function pLimitRun(limit: number): Run {
  const limited = pLimit(limit);
  return (task) => limited(task);
}
