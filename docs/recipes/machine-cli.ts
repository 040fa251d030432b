/**
 * "Our CLI writes a cache in the home directory. Two terminals at once broke it; a lock file helped, until somebody pressed
 * Ctrl+C and every later run said that another one was still running."
 *
 * The lock ends with the process, so it is never stale, and nothing has to be cleaned up.
 */
import { WaitTimeoutError } from 'latchkey';
import { MachineMutex } from 'latchkey/machine';

/** Runs `command` when no other run of the program works in `folder`; gives up after `patienceMs`. */
export async function exclusively<T>(
  folder: string,
  command: () => Promise<T>,
  { patienceMs = 10_000, onWait = () => {} }: { patienceMs?: number; onWait?: () => void } = {},
): Promise<T> {
  const lock = new MachineMutex({ namespace: 'my-cli' });
  // Most runs find the lock free, and must not print anything.
  const notice = setTimeout(onWait, 300);
  try {
    return await lock.run(
      folder,
      () => {
        clearTimeout(notice);
        return command();
      },
      { waitTimeoutMs: patienceMs },
    );
  } catch (error) {
    if (!(error instanceof WaitTimeoutError)) throw error;
    throw new Error(`another run works in ${folder} and has not ended within ${patienceMs / 1_000} s`, {
      cause: error,
    });
  } finally {
    clearTimeout(notice);
  }
}
