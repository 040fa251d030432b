import { Pool } from 'tarn';
import { type MakePool, poolPerKey } from './rival.js';

export const tarn: MakePool = ({ connect, close, isAlive }, { max, waitTimeoutMs = 30_000 }) =>
  poolPerKey((key) => {
    const pool = new Pool({
      create: () => connect(key),
      destroy: close,
      ...(isAlive && { validate: isAlive }),
      min: 0,
      max,
      acquireTimeoutMillis: waitTimeoutMs,
    });
    return {
      use: async (task) => {
        const connection = await pool.acquire().promise;
        try {
          return await task(connection);
        } finally {
          pool.release(connection);
        }
      },
      close: async () => void (await pool.destroy()),
    };
  });
