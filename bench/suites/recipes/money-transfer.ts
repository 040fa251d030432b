import { setTimeout as pause } from 'node:timers/promises';
import { gatherSettled } from 'latchkey';
import type { PostgresPool } from 'latchkey/postgres';
import { accounts, transfer, transferShared } from '../../../docs/recipes/money-transfer.js';
import { transfer as naiveTransfer, transferNested } from '../../../docs/recipes/naive/money-transfer.js';
import { replicasOf } from '../../../test/support/engines/replicas.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const transfers = 500;
const [people, each] = [10, 1_000];
type Way = (pool: PostgresPool, from: string, to: string, cents: number) => Promise<boolean>;

export const moneyTransfer: RecipeCost = {
  name: 'money-transfer',
  async measure(engines) {
    await using replicas = replicasOf(await engines.postgres());
    const [pool] = replicas.pools;
    async function startOver(): Promise<void> {
      await pool.query(`drop table if exists accounts; ${accounts}`);
      await pool.query(
        `insert into accounts select n::text, ${each} from generate_series(0, ${people - 1}) as n`,
      );
    }
    /** From everybody to everybody else, the same each time. */
    const all = Array.from({ length: transfers }, (_, n) => {
      const from = (n * 7) % people;
      return {
        from: String(from),
        to: String((from + 1 + (n % (people - 1))) % people),
        cents: 1 + (n % 50),
      };
    });
    async function sent(way: Way) {
      await startOver();
      const ms = await elapsedMs(() =>
        gatherSettled(all, ({ from, to, cents }) => way(pool, from, to, cents), { concurrency: 16 }),
      );
      const { rows } = await pool.query('select sum(cents)::int as total from accounts');
      return { ms, astray: Math.abs(rows[0].total - people * each) };
    }

    /** If nothing has moved for a second, nothing will. */
    async function hung(way: Way): Promise<number> {
      await startOver();
      let ended = 0;
      for (const { from, to, cents } of all) void way(pool, from, to, cents).then(() => ended++);
      for (let before = -1; before !== ended; await pause(1_000)) before = ended;
      return transfers - ended;
    }
    // Connections are made when they are first needed.
    await sent(naiveTransfer);
    const naive = await sent(naiveTransfer);
    const recipe = await sent(transfer);
    const shared = await sent(transferShared);
    const total = (people * each).toLocaleString('en-US');
    return [
      {
        what: `transfers that hang, of ${transfers} at once between ${people} accounts`,
        'naive, nested locks': await hung(transferNested),
        'naive, none': '',
        '`transfer`': await hung(transfer),
        '`transferShared`': '',
      },
      {
        what: `cents lost or created, of ${total}`,
        'naive, nested locks': '',
        'naive, none': naive.astray,
        '`transfer`': recipe.astray,
        '`transferShared`': shared.astray,
      },
      {
        what: `time for ${transfers} transfers, 16 at a time`,
        unit: 'ms',
        'naive, nested locks': '',
        'naive, none': naive.ms,
        '`transfer`': recipe.ms,
        '`transferShared`': shared.ms,
      },
    ];
  },
};
