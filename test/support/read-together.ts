/** The worst moment, each time: no pool gets its answer before all of them have read. */
import type { PostgresPool } from 'latchkey/postgres';

/** For a pool that a lock keeps from reading: the others continue without it, after this many milliseconds. */
const patienceMs = 500;

/** Holds back the answer to the first `select … from` through each pool until the others have theirs. */
export function readTogether(...pools: readonly PostgresPool[]): PostgresPool[] {
  let missing = pools.length;
  let goOn = () => {};
  const together = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return pools.map((pool) => {
    let hasRead = false;
    const held =
      (database: Pick<PostgresPool, 'query'>): PostgresPool['query'] =>
      async (text, values) => {
        const result = await database.query(text, values);
        if (hasRead || !/^select\b.*\bfrom\b/.test(text)) return result;
        hasRead = true;
        if (--missing === 0) goOn();
        const timer = setTimeout(goOn, patienceMs);
        await together;
        clearTimeout(timer);
        return result;
      };
    return {
      query: held(pool),
      async connect() {
        const client = await pool.connect();
        return {
          query: held(client),
          on: (event, listener) => client.on(event, listener),
          off: (event, listener) => client.off(event, listener),
          release: (destroy) => client.release(destroy),
        };
      },
    };
  });
}
