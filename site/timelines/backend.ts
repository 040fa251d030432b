/** A backend whose workers the reader takes away: a fixed limit in front of it, beside `AdaptiveSemaphore`. */
import { AdaptiveSemaphore, type Limiter, Semaphore } from 'latchkey';
import { drawLimit } from './events.js';
import type { Recorder } from './lanes.js';
import { pause } from './pause.js';

export interface Workers {
  /** Asked again and again, because the reader changes it. */
  workers(): number;
  readonly durationMs: number;
}

export interface Goodput {
  readonly calls: number;
  /** The median time of a call in the backend, in its last second. */
  readonly medianMs: number;
  readonly limit: number;
}

const callMs = 20;
const callers = 60;
export const fixedLimit = 40;

/** Serves as many calls at a time as it has workers; further calls wait in its queue. */
class Backend {
  readonly #workers: () => number;
  readonly #queue: (() => void)[] = [];
  #busy = 0;

  constructor(workers: () => number) {
    this.#workers = workers;
  }

  async call(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#queue.push(resolve);
      this.#serve();
    });
    await pause(callMs);
    this.#busy--;
    this.#serve();
  }

  #serve(): void {
    while (this.#busy < this.#workers() && this.#queue.length > 0) {
      this.#busy++;
      this.#queue.shift()!();
    }
  }
}

export function underFixedLimit(setting: Workers, recorder: Recorder): Promise<Goodput> {
  const semaphore = new Semaphore(fixedLimit);
  recorder.step('limit', fixedLimit);
  return callAll(setting, semaphore, recorder);
}

export function underAdaptiveLimit(setting: Workers, recorder: Recorder): Promise<Goodput> {
  const semaphore = new AdaptiveSemaphore();
  drawLimit(recorder, semaphore);
  return callAll(setting, semaphore, recorder);
}

async function callAll(
  { workers, durationMs }: Workers,
  limiter: Limiter,
  recorder: Recorder,
): Promise<Goodput> {
  const backend = new Backend(workers);
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  const last: number[] = [];
  let calls = 0;
  const call = async () => {
    const sentMs = performance.now();
    await backend.call();
    calls++;
    if (elapsedMs() > durationMs - 1_000) last.push(performance.now() - sentMs);
  };
  const caller = async () => {
    while (elapsedMs() < durationMs) await limiter.run(call);
  };
  const watch = async () => {
    while (elapsedMs() < durationMs) {
      if (recorder.value('workers of the backend') !== workers())
        recorder.step('workers of the backend', workers());
      await pause(20);
    }
  };
  await Promise.all([watch(), ...Array.from({ length: callers }, caller)]);
  recorder.stop();
  const medianMs = last.sort((one, other) => one - other)[Math.floor(last.length / 2)] ?? 0;
  return { calls, medianMs, limit: recorder.value('limit') };
}
