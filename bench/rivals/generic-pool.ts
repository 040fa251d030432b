import { createPool } from 'generic-pool';
import { type MakePool, poolPerKey } from './rival.js';

export const genericPool: MakePool = ({ connect, close }, { max, waitTimeoutMs = 30_000 }) =>
  poolPerKey((key) => {
    const factory = { create: () => connect(key), destroy: close };
    const pool = createPool(factory, { max, acquireTimeoutMillis: waitTimeoutMs });
    return {
      use: (task) => Promise.resolve(pool.use(task)),
      close: async () => {
        await pool.drain();
        await pool.clear();
      },
    };
  });
