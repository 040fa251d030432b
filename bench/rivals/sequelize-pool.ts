import { Pool } from 'sequelize-pool';
import { type MakePool, takablePoolPerKey } from './rival.js';

export const sequelizePool: MakePool = ({ connect, close, isAlive }, { max, waitTimeoutMs = 30_000 }) =>
  takablePoolPerKey((key) => {
    const pool = new Pool({
      create: () => connect(key),
      destroy: close,
      validate: isAlive ?? (() => true),
      min: 0,
      max,
      // It arms a timer for whatever it is given.
      acquireTimeoutMillis: Math.min(waitTimeoutMs, 2 ** 31 - 1),
    });
    return {
      take: () => pool.acquire(),
      giveBack: (connection) => void pool.release(connection),
      close: async () => {
        await pool.drain();
        await pool.destroyAllNow();
      },
    };
  });

/** Inside the function that a service writes around it, so that nobody forgets the release. */
export const sequelizePoolUse: MakePool = (dialler, terms) => {
  const { use, close } = sequelizePool(dialler, terms);
  return { use, close };
};
