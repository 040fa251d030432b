import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { PostgresServer } from '../../../test/support/engines/postgres.js';
import type { RecipeCost } from './recipe.js';

const service = fileURLToPath(new URL('./graceful-shutdown.process.js', import.meta.url));
const deploys = 5;
const clients = 50;
/** The load balancer notices a deploy later than the service does. */
const noticedAfterMs = 200;

export const gracefulShutdown: RecipeCost = {
  name: 'graceful-shutdown',
  async measure(engines) {
    const postgres = await engines.postgres();
    const naive = await stopped('naive', postgres);
    const recipe = await stopped('recipe', postgres);
    return [
      {
        what: `clients with a failed request, of ${deploys * clients} in five deploys`,
        naive: naive.failed,
        recipe: recipe.failed,
      },
      { what: 'half-written orders', naive: naive.halves, recipe: recipe.halves },
      {
        what: 'longest time from SIGTERM to the end of the process',
        unit: 'ms',
        naive: naive.endMs,
        recipe: recipe.endMs,
      },
    ];
  },
};

async function stopped(way: 'naive' | 'recipe', { admin, connectionOptions }: PostgresServer) {
  await admin('drop table if exists orders, order_lines');
  await admin('create table orders (id serial primary key)');
  await admin('create table order_lines (id int references orders)');
  await admin('grant all on orders, order_lines, orders_id_seq to app');
  const sums = { failed: 0, endMs: 0 };
  for (let deploy = 0; deploy < deploys; deploy++) {
    const child = spawn(process.execPath, [service, way, JSON.stringify(connectionOptions)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [port] = await once(child.stdout, 'data');
    const url = `http://127.0.0.1:${Number(port)}/`;
    const elsewhere = new AbortController();
    const load = Array.from({ length: clients }, () => requests(url, elsewhere.signal, sums));
    await sleep(1_000);
    const startedMs = performance.now();
    child.kill('SIGTERM');
    const ended = once(child, 'exit').then(() => {
      sums.endMs = Math.max(sums.endMs, performance.now() - startedMs);
    });
    await sleep(noticedAfterMs);
    elsewhere.abort();
    await ended;
    await Promise.all(load);
  }
  const [halves] = await admin(
    'select count(*)::int as n from orders where id not in (select id from order_lines)',
  );
  return { ...sums, halves: halves?.['n'] as number };
}

/** One request after another, until one fails or the load balancer has noticed the deploy. */
async function requests(url: string, elsewhere: AbortSignal, sums: { failed: number }): Promise<void> {
  while (!elsewhere.aborted) {
    try {
      const response = await fetch(url);
      await response.text();
      if (response.ok) continue;
    } catch {}
    sums.failed++;
    return;
  }
}
