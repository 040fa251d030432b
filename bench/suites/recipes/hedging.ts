import { setTimeout as sleep } from 'node:timers/promises';
import { RetryBudget, Semaphore } from 'latchkey';
import { hedging } from '../../../docs/recipes/hedging.js';
import { hedged } from '../../../docs/recipes/naive/hedging.js';
import { quantile } from '../../harness/statistics.js';
import type { RecipeCost } from './recipe.js';

type Hedge = (call: () => Promise<unknown>) => Promise<unknown>;

const perSecond = 200;
const seconds = 4;

export const hedgingCost: RecipeCost = {
  name: 'hedging',
  async measure() {
    const budget = () => new RetryBudget({ ratio: 0.1, minPerSecond: 1 });
    const plain = await load((call) => call(), 10);
    const naive = { well: await load(hedged, 10), slow: await load(hedged, 80) };
    const recipe = {
      well: await load(hedging({ budget: budget() }), 10),
      slow: await load(hedging({ budget: budget() }), 80),
    };
    return [
      {
        what: `p99 of calls of 10 ms, of which 2 % take 500 ms (${Math.round(plain.p99Ms)} ms without a second call)`,
        unit: 'ms',
        naive: naive.well.p99Ms,
        recipe: recipe.well.p99Ms,
      },
      {
        what: 'more calls than asked for, when every call takes 80 ms',
        unit: '%',
        naive: naive.slow.morePercent,
        recipe: recipe.slow.morePercent,
      },
      {
        what: 'median, when every call takes 80 ms',
        unit: 'ms',
        naive: naive.slow.p50Ms,
        recipe: recipe.slow.p50Ms,
      },
    ];
  },
};

/** A backend of twenty workers. It does not notice that a caller has left. */
async function load(hedge: Hedge, taskMs: number) {
  const workers = new Semaphore(20);
  const latenciesMs: number[] = [];
  let [asked, received] = [0, 0];
  const call = () => {
    received++;
    return workers.run(() => sleep(Math.random() < 0.02 ? 500 : taskMs));
  };
  const once = async () => {
    asked++;
    const startedMs = performance.now();
    await hedge(call);
    latenciesMs.push(performance.now() - startedMs);
  };
  const running: Promise<void>[] = [];
  const untilMs = performance.now() + 1_000 * seconds;
  for (let nextMs = performance.now(); performance.now() < untilMs; await sleep(1)) {
    for (; nextMs <= performance.now(); nextMs += (-1_000 / perSecond) * Math.log(1 - Math.random())) {
      running.push(once());
    }
  }
  await Promise.all(running);
  await workers.idle();
  return {
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    morePercent: (100 * (received - asked)) / asked,
  };
}
