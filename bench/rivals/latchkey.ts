import { ConnectionPool } from 'latchkey';
import type { Dialler, KeyedPool, MakePool, PoolTerms } from './rival.js';

/** Not a rival, but in the same shape, so that the scenarios treat it no better. */
export const latchkeyPool: MakePool = <C>({ connect, close }: Dialler<C>, terms: PoolTerms): KeyedPool<C> => {
  const pool = new ConnectionPool<C, number>({ connect: (host) => connect(host), close }, terms);
  return {
    use: (host, task) => pool.use(host, (connection) => task(connection)),
    close: () => pool.close(),
  };
};
