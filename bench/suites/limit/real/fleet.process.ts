/** One of several processes that call one backend, each with an adaptive semaphore of its own. */
import { httpCaller } from './http-backend.js';
import { limitNamed, semaphoreOf } from './limits.js';
import { figuresOf, openLoad, type PhaseFigures } from './load.js';

export interface FleetOrder {
  readonly port: number;
  /** As in `limitNamed`. */
  readonly contender: string;
  readonly perSecond: number;
  readonly forMs: number;
  /** Only the end of it is measured. */
  readonly measuredMs: number;
}

export type FleetAnswer = PhaseFigures;

process.once('message', async ({ port, contender, perSecond, forMs, measuredMs }: FleetOrder) => {
  const semaphore = semaphoreOf(limitNamed(contender));
  const endMs = performance.now() + forMs;
  const notes = await openLoad({ semaphore, call: httpCaller(port), waitTimeoutMs: 250 }, perSecond, forMs);
  process.send?.(figuresOf(notes, endMs - measuredMs, endMs) satisfies FleetAnswer);
  process.disconnect();
});
