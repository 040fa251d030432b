import { total } from '../../../docs/recipes/long-work.js';
import { total as totalNaively } from '../../../docs/recipes/naive/long-work.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import { longestBlockMs, type RecipeCost } from './recipe.js';

const size = 5_000_000;

function* orders() {
  for (let i = 0; i < size; i++) yield { price: i % 100, quantity: i % 7 };
}

export const longWork: RecipeCost = {
  name: 'long-work',
  async measure() {
    const naive = await computed(totalNaively);
    const recipe = await computed(total);
    const rows = size.toLocaleString('en-US');
    return [
      {
        what: 'longest time without serving another request',
        unit: 'ms',
        naive: naive.blockMs,
        recipe: recipe.blockMs,
      },
      { what: `time for ${rows} rows`, unit: 'ms', naive: naive.tookMs, recipe: recipe.tookMs },
    ];
  },
};

async function computed(way: (rows: ReturnType<typeof orders>) => Promise<number>) {
  let tookMs = 0;
  const blockMs = await longestBlockMs(async () => {
    tookMs = await elapsedMs(() => way(orders()));
  });
  return { tookMs, blockMs };
}
