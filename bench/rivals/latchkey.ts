import { ConnectionPool, type Connector } from 'latchkey';
import type { Dialler, KeyedPool, MakePool, PoolTerms } from './rival.js';

/** Our pool in the same shape as the rivals, so that the scenarios treat it no better. */
export const latchkeyPool: MakePool = <C>(dialler: Dialler<C>, terms: PoolTerms): KeyedPool<C> => {
  const { close, isAlive, onLost } = dialler;
  const connector: Connector<C, number> = {
    async connect(host, { signal, lost }) {
      const connection = await dialler.connect(host, signal);
      onLost?.(connection, lost);
      return connection;
    },
    close,
    ...(isAlive && { isAlive }),
  };
  const pool = new ConnectionPool<C, number>(connector, terms);
  return {
    use: (host, task) => pool.use(host, (connection) => task(connection)),
    close: () => pool.close(),
  };
};
