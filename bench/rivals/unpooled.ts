/** Floors, and the baseline without a pool: connections made for the request. */
import pLimit from 'p-limit';
import type { Dialler, KeyedPool, MakePool, PoolTerms } from './rival.js';

/** Every request connects, and nothing is closed before the end: the connects alone. */
export const connectsAlone: MakePool = <C>({ connect, close }: Dialler<C>): KeyedPool<C> => {
  const open: C[] = [];
  return {
    async use(host, task) {
      const connection = await connect(host);
      open.push(connection);
      return task(connection);
    },
    close: async () => void (await Promise.all(open.map(close))),
  };
};

/** Every request connects and closes, `max` of them at a time. */
export const connectPerRequest: MakePool = <C>(
  { connect, close }: Dialler<C>,
  { max }: PoolTerms,
): KeyedPool<C> => {
  const limit = pLimit(max);
  return {
    use: (host, task) =>
      limit(async () => {
        const connection = await connect(host);
        try {
          return await task(connection);
        } finally {
          await close(connection);
        }
      }),
    close: async () => {},
  };
};
