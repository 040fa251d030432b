import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { get } from '../../../docs/recipes/naive/rate-limited-api.js';
import { partnerClient } from '../../../docs/recipes/rate-limited-api.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const perSecond = 50;
const calls = 300;

export const rateLimitedApi: RecipeCost = {
  name: 'rate-limited-api',
  async measure() {
    const naive = await asked(get);
    const recipe = await asked(partnerClient());
    return [
      {
        what: `calls that got their answer, of ${calls} at once`,
        naive: naive.answered,
        recipe: recipe.answered,
      },
      { what: 'requests that the partner refused', naive: naive.refused, recipe: recipe.refused },
      { what: 'until the last call ended', unit: 'ms', naive: naive.tookMs, recipe: recipe.tookMs },
    ];
  },
};

/** All calls at once, to a partner who counts from second to second. */
async function asked(way: (url: string) => Promise<string>) {
  let [taken, refused, secondEndsMs] = [0, 0, 0];
  const server = createServer((_request, response) => {
    const leftMs = secondEndsMs - Date.now();
    if (leftMs <= 0) {
      secondEndsMs = Date.now() + 1_000;
      taken = 0;
    }
    if (++taken <= perSecond) response.end('answer');
    else {
      refused++;
      response.writeHead(429, { 'retry-after': String(Math.ceil(leftMs / 1_000)) }).end();
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    let answered = 0;
    const tookMs = await elapsedMs(async () => {
      const all = await Promise.allSettled(Array.from({ length: calls }, () => way(url)));
      answered = all.filter(({ status }) => status === 'fulfilled').length;
    });
    return { answered, refused, tookMs };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
