/**
 * Runs each table of a suite in a separate process, so that no figure depends on an earlier table: after a table that runs
 * thousands of other tasks, a free lock may look a quarter slower.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Result } from './results.js';

/** The request to the process. */
export interface Order {
  readonly suite: string;
  /** The table to measure, counted from 0 among those that are wanted. */
  readonly table: number;
  readonly nodeFlags?: readonly string[] | undefined;
  readonly filters: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  /** Measures only what has a budget: the floor and our own rows, in tables with a floor. */
  readonly againstFloorOnly?: boolean;
}

/** What the process sends when it has run the suite. */
export interface Answer {
  /** How many tables are wanted; none of a suite that prints its own. */
  readonly tables: number;
  readonly result?: Result;
}

const file = fileURLToPath(new URL('../suite.process.js', import.meta.url));

/** Calls `onResult` with each table as it is done. */
export async function runSuite(
  order: Omit<Order, 'table'>,
  onResult: (result: Result) => void,
): Promise<void> {
  let tables = 1;
  for (let table = 0; table < tables; table++) {
    const answer = await runTable({ ...order, table });
    tables = answer.tables;
    if (answer.result !== undefined) onResult(answer.result);
  }
}

async function runTable(order: Order): Promise<Answer> {
  // JSON has neither NaN nor undefined.
  const child = fork(file, {
    execArgv: [...process.execArgv, ...(order.nodeFlags ?? [])],
    serialization: 'advanced',
  });
  let answer: Answer = { tables: 0 };
  child.on('message', (message: Answer) => {
    answer = message;
  });
  child.send(order);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the suite ${order.suite} ended with ${code}`);
  return answer;
}
