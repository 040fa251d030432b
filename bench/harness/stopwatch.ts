/** The ways to take one sample. tinybench times operations of nanoseconds in batches; the wall clock times a scenario. */
import { Bench } from 'tinybench';
import { type Callers, crowdOf, regularOf, type Task, type Use } from './callers.js';
import type { Counts, Subject } from './subjects.js';

/** Wall time in milliseconds. */
export async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

type Described = Omit<Subject, 'sample'>;

const batch = 200;
const fewestBatches = 20;
const sampleMs = 12;

/** The time of one asynchronous operation that one caller repeats, with the use of its result. */
export function operation<T>(
  description: Described,
  task: () => PromiseLike<T>,
  finish?: (result: T) => void,
): Subject {
  const statement = finish === undefined ? 'await task()' : 'finish(await task())';
  return timed(description, ownLoop(statement, task, finish), batch, fewestBatches);
}

/** The time of one task that a caller runs by means of `use`, again and again. */
export function regularCaller(description: Described, use: Use, task: Task<unknown>): Subject {
  const regular = regularOf(use);
  return timed(description, () => regular(use, batch, task), batch, fewestBatches);
}

/** The same for the keys from 0 to `keys - 1` in turn. */
export function callerOfKeys(
  description: Described,
  keys: number,
  use: Use<[number]>,
  task: Task<unknown>,
): Subject {
  const regular = regularOf(use, keys);
  return timed(description, () => regular(use, batch, task), batch, fewestBatches);
}

/** `size` callers that come at once; `make` makes what they use, for each sample afresh. The time of one caller. */
export function crowd(description: Described, size: number, make: () => Use, task: Task<unknown>): Subject {
  let all: Callers | undefined;
  return burst(description, size, () => {
    const use = make();
    all ??= crowdOf(use);
    return all(use, size, task);
  });
}

/** A synchronous operation: the time of one. */
export function synchronousOperation(description: Described, task: () => unknown): Subject {
  return timed(description, ownLoop('task()', task), batch, fewestBatches);
}

/** The time of one operation, when `task` does `size` of them at once. */
export function burst(description: Described, size: number, task: () => Promise<void>): Subject {
  return timed(description, task, size, 1);
}

/** The wall time of the whole task. `task` may return counts. */
export function scenario(description: Described, task: () => Promise<Counts | void>): Subject {
  return prepared(description, 1, () => task);
}

/** The wall time of the function that `prepare` returns, divided by `parts`. `prepare` itself is not timed. */
export function prepared(
  description: Described,
  parts: number,
  prepare: () => () => Promise<Counts | void>,
): Subject {
  return {
    ...description,
    sample: async () => {
      const task = prepare();
      const startedMs = performance.now();
      const counts = await task();
      const cost = (performance.now() - startedMs) / parts;
      return counts === undefined ? { cost } : { cost, counts };
    },
  };
}

function timed(
  description: Described,
  body: () => Promise<void>,
  operations: number,
  iterations: number,
): Subject {
  return {
    ...description,
    sample: async () => {
      const bench = new Bench({ time: sampleMs, iterations, warmup: false, throws: true });
      bench.add(description.name, body, { async: true });
      const [task] = await bench.run();
      const result = task?.result;
      if (result?.state !== 'completed') throw new Error(`${description.name} did not complete`);
      return { cost: result.latency.p50 / operations };
    },
  };
}

/**
 * A loop compiled for this subject alone. In one loop for all, the call would see every subject and inline none, and
 * the bench would measure the dispatch.
 */
function ownLoop<T>(
  statement: string,
  task: () => unknown,
  finish?: (result: T) => void,
): () => Promise<void> {
  const source = `// ${loops++}\nreturn async () => { for (let i = 0; i < ${batch}; i++) ${statement}; }`;
  return new Function('task', 'finish', source)(task, finish);
}

let loops = 0;
