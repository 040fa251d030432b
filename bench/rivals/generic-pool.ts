import { createPool } from 'generic-pool';
import { type Dialler, type MakePool, type PoolTerms, poolPerKey } from './rival.js';

export const genericPool: MakePool = <C>(
  { connect, close, isAlive }: Dialler<C>,
  { max, waitTimeoutMs = 30_000 }: PoolTerms,
) =>
  poolPerKey<C>((key) => {
    const validate = isAlive && (async (connection: C) => isAlive(connection));
    const factory = { create: () => connect(key), destroy: close, ...(validate && { validate }) };
    const options = { max, acquireTimeoutMillis: waitTimeoutMs, testOnBorrow: validate !== undefined };
    const pool = createPool(factory, options);
    return {
      use: (task) => Promise.resolve(pool.use(task)),
      close: async () => {
        await pool.drain();
        await pool.clear();
      },
    };
  });
