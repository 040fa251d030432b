/** Deposits to two accounts, each of which reads the balance, waits, and writes it: without a lock, and under `KeyedMutex`. */
import { KeyedMutex } from 'latchkey';
import type { Recorder } from './lanes.js';

export interface Deposits {
  readonly deposits: number;
  /** Between reading a balance and writing it. */
  readonly queryMs: number;
}

type Lock = (account: string, task: () => Promise<void>) => Promise<void>;

/** Resolves with how many deposits were lost. */
export function withoutLock(setting: Deposits, recorder: Recorder): Promise<number> {
  return depositAll(setting, recorder, (_, task) => task());
}

export function underKeyedMutex(setting: Deposits, recorder: Recorder): Promise<number> {
  const accounts = new KeyedMutex();
  return depositAll(setting, recorder, (account, task) => accounts.run(account, task));
}

async function depositAll({ deposits, queryMs }: Deposits, recorder: Recorder, lock: Lock): Promise<number> {
  const balance = new Map([
    ['ann', 0],
    ['bob', 0],
  ]);
  const names = Array.from({ length: deposits }, (_, i) => ({ account: i % 2 === 0 ? 'ann' : 'bob', i }));
  await Promise.all(
    names.map(async ({ account, i }) => {
      const lane = `${account} ${Math.floor(i / 2) + 1}`;
      recorder.enter(lane, 'waiting');
      await lock(account, async () => {
        recorder.enter(lane, 'using');
        const read = balance.get(account)!;
        await new Promise((resolve) => setTimeout(resolve, queryMs));
        balance.set(account, read + 1);
      });
      recorder.end(lane, 'served');
    }),
  );
  return deposits - balance.get('ann')! - balance.get('bob')!;
}
