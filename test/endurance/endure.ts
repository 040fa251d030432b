/** Many calls of one kind, in rounds of callers that compete; then counts what they left behind. */
import { queryObjects } from 'node:v8';
import { Waiter } from '../../src/waiting/waiter.js';
import { ArmedTimers } from './armed-timers.js';
import { Callers, turns } from './callers.js';
import { growth, type HeapSample, heapInUse } from './heap.js';
import type { Kind } from './kind.js';

export interface Endured {
  readonly name: string;
  readonly operations: number;
  readonly seconds: number;
  /** How much of the heap each operation left behind. */
  readonly bytesPerOperation: number;
  readonly heapBytes: number;
  /** Counts that must be 0: listeners, timers, entries, objects. */
  readonly left: Readonly<Record<string, number>>;
}

export interface EndureOptions {
  readonly operations: number;
  readonly seed: number;
  /** Callers at a time. */
  readonly callers?: number;
  readonly samples?: number;
}

/** After this share of the operations the heap has found its size. */
const warmUpShare = 0.25;

/** Includes waiters that may give up, whose prototype inherits from it. */
const countWaiters = () => queryObjects(Waiter, { format: 'count' });

export async function endure(kind: Kind, options: EndureOptions): Promise<Endured> {
  const { operations, seed, callers: perRound = 500, samples: sampleCount = 40 } = options;
  const startedMs = performance.now();
  using timers = new ArmedTimers();
  const callers = new Callers(seed);
  const subject = kind.make(callers);
  const waitersBefore = countWaiters();
  const samples: HeapSample[] = [];
  const everySample = (operations * (1 - warmUpShare)) / sampleCount;
  let nextSample = operations * warmUpShare;
  let listeners = 0;
  for (let done = 0; done < operations; done += perRound) {
    await Promise.all(Array.from({ length: Math.min(perRound, operations - done) }, () => subject.call()));
    await turns(1);
    listeners += callers.listeners;
    callers.endRound();
    if (done + perRound < nextSample) continue;
    samples.push({ operations: done, bytes: await heapInUse() });
    nextSample += everySample;
  }
  await subject.end?.();
  await turns(2);
  const left = {
    ...subject.left(),
    listeners,
    timers: timers.count,
    // An object that kept one would keep all data of its caller.
    waiters: countWaiters() - waitersBefore,
  };
  return {
    name: kind.name,
    operations,
    seconds: (performance.now() - startedMs) / 1_000,
    bytesPerOperation: growth(samples),
    heapBytes: samples.at(-1)?.bytes ?? Number.NaN,
    left,
  };
}
