import { Pool } from 'lightning-pool';
import { type MakePool, poolPerKey } from './rival.js';

export const lightningPool: MakePool = ({ connect, close }, { max, waitTimeoutMs = 30_000 }) =>
  poolPerKey((key) => {
    const factory = { create: () => connect(key), destroy: close };
    const pool = new Pool(factory, { max, acquireTimeoutMillis: waitTimeoutMs, maxQueue: 1_000_000 });
    return {
      use: async (task) => {
        const connection = await pool.acquire();
        try {
          return await task(connection);
        } finally {
          pool.release(connection);
        }
      },
      close: () => pool.closeAsync(),
    };
  });
