import { Pool } from 'lightning-pool';
import { type MakePool, takablePoolPerKey } from './rival.js';

export const lightningPool: MakePool = ({ connect, close }, { max, waitTimeoutMs = 30_000 }) =>
  takablePoolPerKey((key) => {
    const factory = { create: () => connect(key), destroy: close };
    const pool = new Pool(factory, { max, acquireTimeoutMillis: waitTimeoutMs, maxQueue: 1_000_000 });
    return {
      take: () => pool.acquire(),
      giveBack: (connection) => pool.release(connection),
      close: () => pool.closeAsync(),
    };
  });
