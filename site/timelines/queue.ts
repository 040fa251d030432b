/** More calls than a backend can serve, and callers that leave: a queue in order of arrival, beside `controlledDelay`. */
import { QueueFullError, Semaphore } from 'latchkey';
import { controlledDelay } from 'latchkey/overload';
import { followed } from './events.js';
import { countOf, type Recorder } from './lanes.js';
import { pause } from './pause.js';

export interface Load {
  /** Calls per second, in percent of what is possible. */
  readonly percent: number;
  /** After this time a caller has left. */
  readonly patienceMs: number;
}

export interface Answers {
  readonly inTime: number;
  readonly late: number;
  readonly refused: number;
}

const atOnce = 2;
const taskMs = 60;
const durationMs = 2_400;
const possiblePerMs = atOnce / taskMs;

export function firstComeFirstServed(load: Load, recorder: Recorder): Promise<Answers> {
  return serveAll(load, new Semaphore(atOnce), recorder);
}

export function withControlledDelay(load: Load, recorder: Recorder): Promise<Answers> {
  return serveAll(load, new Semaphore(atOnce, { order: controlledDelay() }), recorder);
}

async function serveAll(
  { percent, patienceMs }: Load,
  backend: Semaphore,
  recorder: Recorder,
): Promise<Answers> {
  const calls = Math.round(durationMs * possiblePerMs * (percent / 100));
  const startedMs = performance.now();
  const call = (lane: string): Promise<unknown> => {
    const calledMs = performance.now();
    const task = async () => {
      await pause(taskMs);
      if (performance.now() - calledMs > patienceMs) throw new Error('the caller has left');
    };
    const outcomeOf = (error: unknown) => (error instanceof QueueFullError ? 'refused' : 'late');
    return followed({ recorder, lane }, () => backend.run(task), outcomeOf);
  };
  const called: Promise<unknown>[] = [];
  for (let i = 0; i < calls; i++) {
    called.push(call(`call ${i}`));
    await pause(startedMs + ((i + 1) * durationMs) / calls - performance.now());
  }
  await Promise.all(called);
  recorder.stop();
  const timeline = recorder.timeline();
  return {
    inTime: countOf(timeline, 'served'),
    late: countOf(timeline, 'late'),
    refused: countOf(timeline, 'refused'),
  };
}
