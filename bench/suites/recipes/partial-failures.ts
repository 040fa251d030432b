import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendAll as sendAllNaively } from '../../../docs/recipes/naive/partial-failures.js';
import { sendAll } from '../../../docs/recipes/partial-failures.js';
import type { RecipeCost } from './recipe.js';

const users = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);
const wrong = new Set(['user-3', 'user-500', 'user-999']);

type Way = (send: (to: string) => Promise<void>) => Promise<number>;

/** Resolves with the number of failures reported to the caller. */
const naively: Way = (send) =>
  sendAllNaively(users, send).then(
    () => 0,
    () => 1,
  );
const gathered: Way = async (send) => (await sendAll(users, send, () => {})).failed.length;

export const partialFailures: RecipeCost = {
  name: 'partial-failures',
  async measure() {
    const [naive, recipe] = [await sent(naively), await sent(gathered)];
    const [naiveDown, recipeDown] = [await sent(naively, 'down'), await sent(gathered, 'down')];
    const size = users.length.toLocaleString('en-US');
    return [
      {
        what: `failures reported to the caller, when 3 of ${size} mails fail`,
        naive: naive.heardOf,
        recipe: recipe.heardOf,
      },
      { what: 'mails still being sent at that moment', naive: naive.underWay, recipe: recipe.underWay },
      { what: 'most requests at once', naive: naive.most, recipe: recipe.most },
      {
        what: `requests to a mail server that refuses all ${size}`,
        naive: naiveDown.requests,
        recipe: recipeDown.requests,
      },
    ];
  },
};

/** A mail server that takes some 20 ms per mail. */
async function sent(way: Way, state: 'up' | 'down' = 'up') {
  let [requests, underWay, most] = [0, 0, 0];
  const server = createServer((request, response) => {
    requests++;
    const refused = state === 'down' || wrong.has(request.url?.slice(1) ?? '');
    setTimeout(() => response.writeHead(refused ? 422 : 200).end(), refused ? 5 : 20);
  });
  await once(server.listen(0, '127.0.0.1', 2_000), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const heardOf = await way(async (to) => {
    most = Math.max(most, ++underWay);
    try {
      const { ok, status } = await fetch(url + to);
      if (!ok) throw new Error(`status ${status}`);
    } finally {
      underWay--;
    }
  });
  const figures = { heardOf, underWay, most };
  while (underWay > 0) await sleep(1);
  server.closeAllConnections();
  server.close();
  return { ...figures, requests };
}
