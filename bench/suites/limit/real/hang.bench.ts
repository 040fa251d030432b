/**
 * On demand: an HTTP server of 10 workers of 20 ms that does not answer for some seconds (its process is stopped), and then is well
 * again. 400 calls a second arrive, 0.8 times what it can do. `--law=`, `--hang=` (seconds) and `--runs=` change what is run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { aligned } from '../../../harness/report.js';
import type { Suite } from '../../../harness/subjects.js';
import { httpCaller, startHttpBackend } from './http-backend.js';
import { type Contender, contenders, semaphoreOf } from './limits.js';
import { figuresOf, openLoad } from './load.js';

const workers = 10;
const perSecond = 400;
const callTimeoutMs = 500;
const waitTimeoutMs = 250;
const seconds = { before: 6, after: 4 };

export const adaptiveHang: Suite = {
  name: 'adaptive-hang',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const laws = (Object.keys(contenders) as Contender[]).filter(
      (law) => law === (flags['law'] ?? 'elastic'),
    );
    const hangs = flags['hang'] === undefined ? [1, 4, 8] : [Number(flags['hang'])];
    const rows: string[][] = [];
    for (const law of laws) {
      for (const hang of hangs) {
        for (let run = 0; run < Number(flags['runs'] ?? 3); run++) {
          rows.push([law, `${hang} s`, ...(await recovery(law, 1_000 * hang))]);
        }
      }
    }
    console.log(
      '\nGoodput in each second after a hang, in % of what is asked; refused by the backend in these 4 s',
    );
    console.log(
      aligned([['limit', 'hang', 'before', 'first', 'second', 'third', 'fourth', 'refused'], ...rows], false),
    );
  },
};

async function recovery(law: Contender, hangMs: number): Promise<string[]> {
  const backend = await startHttpBackend();
  try {
    backend.setWorkers(workers);
    const load = {
      semaphore: semaphoreOf(contenders[law]()),
      call: httpCaller(backend.port, callTimeoutMs),
      waitTimeoutMs,
    };
    const forMs = 1_000 * (seconds.before + seconds.after) + hangMs;
    const running = openLoad(load, perSecond, forMs);
    await sleep(1_000 * seconds.before);
    await backend.hang(hangMs);
    const wellMs = performance.now();
    const notes = await running;
    const before = figuresOf(notes, wellMs - hangMs - 3_000, wellMs - hangMs);
    const after = Array.from({ length: seconds.after }, (_, second) =>
      figuresOf(notes, wellMs + 1_000 * second, wellMs + 1_000 * (second + 1)),
    );
    const refused = after.reduce((sum, figures) => sum + figures.refused, 0);
    const shares = [before, ...after].map(({ goodput }) => String(Math.round((100 * goodput) / perSecond)));
    return [...shares, String(Math.round(refused))];
  } finally {
    await backend.stop();
  }
}
