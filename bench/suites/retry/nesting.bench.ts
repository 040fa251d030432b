/**
 * On demand: a limiter inside `retry`, with twice as many calls as it can serve. A served call is useful if its attempt has not
 * timed out when it ends. `--report` writes the table of the retry page.
 */
import { constant, retry, Semaphore } from 'latchkey';
import { recordFigures, writeFigures } from '../../harness/page/figures.js';
import { aligned } from '../../harness/report.js';
import type { Suite } from '../../harness/subjects.js';

const limit = 4;
const serviceMs = 40;
const callers = 600;
const forMs = 3_000;
const attemptTimeoutMs = 400;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The callers arrive at even distances. Each tries twice. */
async function served(waitTimeoutMs: number): Promise<{ calls: number; useful: number; answered: number }> {
  const limiter = new Semaphore(limit);
  const counts = { calls: 0, useful: 0, answered: 0 };
  const serve = async (signal: AbortSignal) => {
    counts.calls++;
    await sleep(serviceMs);
    if (!signal.aborted) counts.useful++;
  };
  const attempt = ({ signal }: { signal: AbortSignal }) =>
    limiter.run(() => serve(signal), { signal, waitTimeoutMs });
  const running: Promise<void>[] = [];
  const startedMs = performance.now();
  while (running.length < callers) {
    const due = ((performance.now() - startedMs) / forMs) * callers;
    while (running.length < Math.min(due, callers)) {
      running.push(
        retry(attempt, { attempts: 2, attemptTimeoutMs, backoff: constant(100) }).then(
          () => void counts.answered++,
          () => {},
        ),
      );
    }
    await sleep(1);
  }
  await Promise.all(running);
  return counts;
}

export const retryNesting: Suite = {
  name: 'retry-nesting',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    const rows = [['`npm run bench -- retry-nesting`', 'calls made', 'of them useful', 'callers answered']];
    for (const [name, waitTimeoutMs] of [
      [`the attempt's ${attemptTimeoutMs} ms bound the wait too`, Infinity],
      ['`waitTimeoutMs: 300`', 300],
    ] as const) {
      const { calls, useful, answered } = await served(waitTimeoutMs);
      rows.push([name, String(calls), String(useful), `${answered} of ${callers}`]);
    }
    console.log(`\nA limiter inside retry, at twice its load\n${aligned(rows, true)}`);
    if (flags['report'] === undefined) return;
    await recordFigures({ 'retry-nesting': rows });
    await writeFigures();
  },
};
