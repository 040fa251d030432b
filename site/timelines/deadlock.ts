/** Two transfers that lock the same accounts in opposite orders, and what `latchkey/watch` says: beside `runAll`. */
import { KeyedMutex } from 'latchkey';
import { watch } from 'latchkey/watch';
import { followThen } from './browser-parts.js';
import { began } from './events.js';
import type { Recorder } from './lanes.js';
import { pause } from './pause.js';

export interface Transfers {
  /** Between taking the first account and asking for the second. */
  readonly queryMs: number;
}

export interface Transferred {
  readonly done: number;
  /** The tree of the watcher, where a transfer waits for ever. */
  readonly tree?: string;
}

const transfers = [
  { lane: 'ann to bob', from: 'ann', to: 'bob' },
  { lane: 'bob to ann', from: 'bob', to: 'ann' },
];

/** Written with `then`, because a browser has no `AsyncLocalStorage`, and the page's own follows no `await`. */
export async function oneAfterTheOther({ queryMs }: Transfers, recorder: Recorder): Promise<Transferred> {
  const accounts = new KeyedMutex<string>();
  const unfollow = followThen();
  let onDeadlock = () => {};
  const deadlocked = new Promise<void>((resolve) => {
    onDeadlock = resolve;
  });
  const watcher = watch({ order: false, onReport: ({ kind }) => void (kind === 'deadlock' && onDeadlock()) });
  const ends = transfers.map(({ lane, from, to }) => {
    const second = () => began({ recorder, lane }, () => accounts.run(to, () => pause(queryMs)));
    const end = accounts.run(from, () => pause(queryMs).then(second));
    recorder.enter(lane, 'using');
    return end.catch(() => recorder.end(lane, 'stuck'));
  });
  await deadlocked;
  // The picture shows that nothing happens any more.
  await pause(10 * queryMs);
  const tree = String(watcher.snapshot());
  watcher.stop();
  unfollow();
  accounts.refuseWaiting();
  await Promise.all(ends);
  recorder.stop();
  return { done: 0, tree };
}

export async function allAtOnce({ queryMs }: Transfers, recorder: Recorder): Promise<Transferred> {
  const accounts = new KeyedMutex<string>();
  await Promise.all(
    transfers.map(async ({ lane, from, to }) => {
      const run = began({ recorder, lane }, () => accounts.runAll([from, to], () => pause(2 * queryMs)));
      if (!recorder.has(lane)) recorder.enter(lane, 'using');
      await run;
      recorder.end(lane, 'served');
    }),
  );
  recorder.stop();
  return { done: transfers.length };
}
