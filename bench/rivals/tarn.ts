import { Pool } from 'tarn';
import { type MakePool, takablePoolPerKey } from './rival.js';

export const tarn: MakePool = ({ connect, close, isAlive }, { max, waitTimeoutMs = 30_000 }) =>
  takablePoolPerKey((key) => {
    const pool = new Pool({
      create: () => connect(key),
      destroy: close,
      ...(isAlive && { validate: isAlive }),
      min: 0,
      max,
      acquireTimeoutMillis: waitTimeoutMs,
    });
    return {
      take: () => pool.acquire().promise,
      giveBack: (connection) => void pool.release(connection),
      close: async () => void (await pool.destroy()),
    };
  });
