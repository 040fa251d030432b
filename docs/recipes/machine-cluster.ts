/**
 * "We run one worker per core with cluster, or with PM2. Each of them refreshes the same access token, and the provider logs us
 * out when two do it at once."
 *
 * The workers share one lock and one file. The first worker refreshes; the others wait, and find what it has written.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { KeyedLock, KeyLease } from 'latchkey';

export interface AccessToken {
  readonly text: string;
  readonly expiresAtMs: number;
}

/** Resolves with a token that is valid for another minute. `refresh` runs in one worker at a time. */
export async function sharedToken(
  lock: KeyedLock<string>,
  file: string,
  refresh: (lease: KeyLease<string>) => Promise<AccessToken>,
): Promise<AccessToken> {
  const known = await read(file);
  if (isFresh(known)) return known;
  return lock.run(file, async (lease) => {
    // Another worker may have refreshed it while this one waited.
    const current = await read(file);
    if (isFresh(current)) return current;
    const token = await refresh(lease);
    // Written beside it and renamed, so that a worker that is killed does not leave half a file.
    await writeFile(`${file}.${lease.token}`, JSON.stringify(token), { mode: 0o600 });
    await rename(`${file}.${lease.token}`, file);
    return token;
  });
}

const isFresh = (token: AccessToken | undefined): token is AccessToken =>
  token !== undefined && token.expiresAtMs > Date.now() + 60_000;

async function read(file: string): Promise<AccessToken | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}
