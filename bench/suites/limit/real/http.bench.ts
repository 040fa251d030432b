/**
 * On demand: an HTTP server in a process of its own, 20 workers of 20 ms, that loses half of them for a while. 1,300
 * calls a second arrive, 1.3 times what it can do; callers leave after 250 ms.
 */
import type { Suite } from '../../../harness/subjects.js';
import { httpCaller, startHttpBackend } from './http-backend.js';
import { semaphoreOf } from './limits.js';
import { openLoad } from './load.js';
import { comparePhases } from './phases.js';

const perSecond = 1_300;
const waitTimeoutMs = 250;
const workers = { full: 20, half: 10 };

export const adaptiveHttp: Suite = {
  name: 'adaptive-http',
  onDemand: true,
  printsItself: true,
  async run() {
    const backend = await startHttpBackend();
    try {
      await comparePhases({
        title: `${perSecond} calls a second to an HTTP server that loses half of its workers for a while`,
        names: ['20 workers', '10 workers', '20 workers'],
        swept: [10, 14, 20, 24, 30],
        load: (algorithm, forMs) =>
          openLoad(
            { semaphore: semaphoreOf(algorithm), call: httpCaller(backend.port), waitTimeoutMs },
            perSecond,
            forMs,
          ),
        disturb() {
          backend.setWorkers(workers.half);
          return async () => backend.setWorkers(workers.full);
        },
      });
    } finally {
      await backend.stop();
    }
  },
};
