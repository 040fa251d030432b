import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { commandTable, drain } from '../../../docs/recipes/entity-command-queue.js';
import { drain as naiveDrain } from '../../../docs/recipes/naive/entity-command-queue.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const commands = 400;
const accounts = ['ann', 'bob', 'cid', 'dan'];

interface Command {
  readonly account: string;
  readonly number: number;
}

export const entityCommandQueue: RecipeCost = {
  name: 'entity-command-queue',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;

    /** Two replicas with four workers each; a command takes 1 to 5 ms. */
    async function worked(
      way: (pool: pg.Pool, handle: (body: unknown) => Promise<void>) => Promise<unknown>,
    ) {
      await pool.query(`drop table if exists commands; ${commandTable}`);
      for (let number = 0; number < commands; number++) {
        const account = accounts[number % accounts.length]!;
        const sql = 'insert into commands (entity, body) values ($1, $2)';
        await pool.query(sql, [account, JSON.stringify({ account, number })]);
      }
      const done: Command[] = [];
      const handle = async (body: unknown) => {
        const command = body as Command;
        await pause(1 + ((command.number * 7) % 5));
        done.push(command);
      };
      const ms = await elapsedMs(() => replicas.each((replica) => way(replica, handle)));
      return { overtaken: overtaken(done), ms };
    }
    const naive = await worked((replica, handle) =>
      Promise.all(accounts.map(() => naiveDrain(replica, handle))),
    );
    const recipe = await worked((replica, handle) =>
      Promise.all(accounts.map((account) => drain(replica, account, handle))),
    );
    return [
      {
        what: `commands overtaken by a later one of their account, of ${commands}`,
        naive: naive.overtaken,
        recipe: recipe.overtaken,
      },
      {
        what: `${commands} commands of 1 to 5 ms, ${accounts.length} accounts, 8 workers`,
        unit: 'ms',
        naive: naive.ms,
        recipe: recipe.ms,
      },
    ];
  },
};

function overtaken(done: readonly Command[]): number {
  const newest = new Map<string, number>();
  let count = 0;
  for (const { account, number } of done) {
    const before = newest.get(account) ?? -1;
    if (number < before) count++;
    newest.set(account, Math.max(before, number));
  }
  return count;
}
