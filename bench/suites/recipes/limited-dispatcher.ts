import { Agent, type Dispatcher, request } from 'undici';
import { limited } from '../../../docs/recipes/limited-dispatcher.js';
import { agent as naiveAgent } from '../../../docs/recipes/naive/limited-dispatcher.js';
import { deadlineMs, possiblePerSecond, serve, startServer, steady } from '../overload/http/load.js';
import type { RecipeCost } from './recipe.js';

const load = 1.5;

export const limitedDispatcher: RecipeCost = {
  name: 'limited-dispatcher',
  async measure() {
    const possible = await possiblePerSecond();
    const naive = await called(naiveAgent, possible);
    const recipe = await called(new Agent().compose(limited()), possible);
    const at = `of a backend that is asked for ${load} times what it can do`;
    return [
      {
        what: `answers in time, of those possible, ${at}`,
        unit: '%',
        naive: 100 * naive.share,
        recipe: 100 * recipe.share,
      },
      {
        what: 'until an answer, median',
        unit: 'ms',
        naive: naive.p50Ms ?? 'none in time',
        recipe: recipe.p50Ms ?? 'none in time',
      },
      { what: 'calls open at once, at the most', naive: naive.most, recipe: recipe.most },
    ];
  },
};

/** The backend has a queue of its own, and serves first come, first served. */
async function called(dispatcher: Dispatcher, possible: number) {
  await using server = await startServer('fifo');
  let [open, most] = [0, 0];
  const call = async () => {
    most = Math.max(most, ++open);
    try {
      const { statusCode, body } = await request(server.url, {
        dispatcher,
        signal: AbortSignal.timeout(deadlineMs),
      });
      await body.dump();
      return statusCode;
    } catch {
      return 0;
    } finally {
      open--;
    }
  };
  const served = await serve(call, steady(load), possible);
  return { ...served, most };
}
