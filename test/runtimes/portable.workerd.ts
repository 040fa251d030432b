/** A Worker of Cloudflare's workerd: the claims within one request, and locks of module scope that requests share. */
import { AdaptiveSemaphore, ConnectionPool, KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { RedisMutex } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';
import { tryClaims } from './portable.js';

// Workers may not draw random values or start timers at module scope.
const made = [
  new KeyedMutex(),
  new Semaphore(1),
  new AdaptiveSemaphore(),
  new SingleFlight(),
  new ConnectionPool({ connect: () => ({}), close: () => {} }),
  new RedisMutex(async () => null),
];

const plain = new Mutex();
const kept = new Mutex();
const left = new Mutex();

const work = () => new Promise((resolve) => setTimeout(resolve, 100));

/** As docs/workers.md has it. */
async function keptAlive<T>(task: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 1_000);
  try {
    return await task();
  } finally {
    clearInterval(timer);
  }
}

const routes: Readonly<Record<string, () => Promise<unknown>>> = {
  '/made': async () => made.length,
  '/claims': tryClaims,
  '/plain': () => plain.run(work),
  '/plain/locked': async () => plain.locked,
  '/kept': () => keptAlive(() => kept.run(work)),
  '/kept/locked': async () => kept.locked,
  '/left': () => keptAlive(() => left.run(work)),
  '/left/locked': async () => left.locked,
};

export default {
  async fetch({ url }: { readonly url: string }): Promise<Response> {
    const answer = await routes[new URL(url).pathname]!();
    return new Response(JSON.stringify(answer ?? null));
  },
};
