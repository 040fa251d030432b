/** What packages have against overload. */
import { bulkhead } from 'cockatiel';
import genericPool from 'generic-pool';
import PQueue from 'p-queue';
import { limit, type Server } from './scenarios.js';

export function pQueue(): Server {
  const queue = new PQueue({ concurrency: limit });
  return ({ task }) => queue.add(task);
}

export function cockatiel(waiting: number): Server {
  const policy = bulkhead(limit, waiting);
  return ({ task }) => policy.execute(task);
}

export function pool(options: { acquireTimeoutMillis?: number; maxWaitingClients?: number }): Server {
  const factory = { create: async () => ({}), destroy: async () => {} };
  const resources = genericPool.createPool(factory, { max: limit, ...options });
  return ({ task }) => resources.use(task);
}
