/** Deposits to two accounts, each of which reads the balance, waits, and writes it: without a lock, and under `KeyedMutex`. */
import { KeyedMutex } from 'latchkey';
import { followed } from './events.js';
import type { Recorder } from './lanes.js';
import { pause } from './pause.js';

export interface Deposits {
  readonly deposits: number;
  /** Between reading a balance and writing it. */
  readonly queryMs: number;
}

type Deposit = () => Promise<void>;
type Enter = (lane: string, account: string, deposit: Deposit) => Promise<unknown>;

/** Resolves with how many deposits were lost. */
export function withoutLock(setting: Deposits, recorder: Recorder): Promise<number> {
  return depositAll(setting, async (lane, _, deposit) => {
    recorder.enter(lane, 'using');
    await deposit();
    recorder.end(lane, 'served');
  });
}

export function underKeyedMutex(setting: Deposits, recorder: Recorder): Promise<number> {
  const accounts = new KeyedMutex<string>();
  return depositAll(setting, (lane, account, deposit) =>
    followed({ recorder, lane }, () => accounts.run(account, deposit)),
  );
}

async function depositAll({ deposits, queryMs }: Deposits, enter: Enter): Promise<number> {
  const balance = new Map([
    ['ann', 0],
    ['bob', 0],
  ]);
  const names = Array.from({ length: deposits }, (_, i) => ({ account: i % 2 === 0 ? 'ann' : 'bob', i }));
  await Promise.all(
    names.map(({ account, i }) =>
      enter(`${account} ${Math.floor(i / 2) + 1}`, account, async () => {
        const read = balance.get(account)!;
        await pause(queryMs);
        balance.set(account, read + 1);
      }),
    ),
  );
  return deposits - balance.get('ann')! - balance.get('bob')!;
}
