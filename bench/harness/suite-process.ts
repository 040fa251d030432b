/** Runs one suite in a separate process, so that no figure depends on an earlier suite. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Result } from './results.js';

/** The request to the process. */
export interface Order {
  readonly suite: string;
  readonly nodeFlags?: readonly string[] | undefined;
  readonly filters: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  /** Measures only what has a budget: the floor and our own rows, in tables with a floor. */
  readonly againstFloorOnly?: boolean;
}

const file = fileURLToPath(new URL('../suite.process.js', import.meta.url));

/** Calls `onResult` with each table as it is done. */
export async function runSuite(order: Order, onResult: (result: Result) => void): Promise<void> {
  // JSON has neither NaN nor undefined.
  const child = fork(file, {
    execArgv: [...process.execArgv, ...(order.nodeFlags ?? [])],
    serialization: 'advanced',
  });
  child.on('message', (result: Result) => onResult(result));
  child.send(order);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the suite ${order.suite} ended with ${code}`);
}
