/**
 * "Two transfers between the same accounts, in opposite directions, hung for ever. After the fix, money was gone."
 *
 * Naive: lock the one account, then the other: two who go opposite ways wait for each other. Without locks, both read the same
 * balance. `runAll` takes both keys in one step: nobody can hold one and wait for the other. In one process, that is; where
 * several write the same accounts, see lost-update.ts.
 */
import { KeyedMutex } from 'latchkey';

export interface Accounts {
  read(id: string): Promise<number>;
  write(id: string, balance: number): Promise<void>;
}

const locks = new KeyedMutex<string>();

/** Resolves with whether there was enough. */
export function transfer(accounts: Accounts, from: string, to: string, amount: number): Promise<boolean> {
  return locks.runAll([from, to], async () => {
    const balance = await accounts.read(from);
    if (balance < amount) return false;
    await accounts.write(from, balance - amount);
    await accounts.write(to, (await accounts.read(to)) + amount);
    return true;
  });
}
