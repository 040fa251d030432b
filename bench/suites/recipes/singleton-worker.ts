import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RecipeCost } from './recipe.js';

const file = fileURLToPath(new URL('singleton-worker.process.js', import.meta.url));
const replicaCount = 3;
const patienceMs = 10_000;

export const singletonWorker: RecipeCost = {
  name: 'singleton-worker',
  async measure(engines) {
    const { connectionOptions } = await engines.postgres();
    const naive = await takeOver((n) => fork(file, { env: { ...process.env, POLLER: n === 0 ? '1' : '0' } }));
    const recipe = await takeOver(() => fork(file, [JSON.stringify(connectionOptions)]));
    return [
      {
        what: `how many of ${replicaCount} processes work`,
        naive: naive.worked,
        recipe: recipe.worked,
      },
      {
        what: 'time until another one works, after the worker was killed with SIGKILL',
        unit: 'ms',
        naive: naive.ms,
        recipe: recipe.ms,
      },
    ];
  },
};

async function takeOver(start: (n: number) => ChildProcess) {
  const workers: ChildProcess[] = [];
  const replicas = Array.from({ length: replicaCount }, (_, n) => {
    const replica = start(n);
    return replica.on('message', () => void workers.push(replica));
  });
  try {
    while (workers.length === 0) await pause(10);
    await pause(1_000);
    const [first] = workers;
    const worked = new Set(workers).size;
    first!.kill('SIGKILL');
    const killedMs = performance.now();
    while (workers.at(-1) === first && performance.now() - killedMs < patienceMs) await pause(1);
    const ms = performance.now() - killedMs;
    return { worked, ms: ms < patienceMs ? ms : `not in ${patienceMs / 1_000} s` };
  } finally {
    for (const replica of replicas) replica.kill('SIGKILL');
  }
}
