import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { identity, type ServerUser, unprivilegedUser } from './unprivileged-user.js';

/** Where a server runs: its user, a directory that this user owns, a port of 127.0.0.1. */
export interface ServerSite {
  readonly user: ServerUser;
  readonly directory: string;
  readonly port: number;
  remove(): Promise<void>;
}

/**
 * Reads a pipe whose other end only we hold. When that closes, or this process ends in any way, the directory is removed. A
 * server that is still stopping may write meanwhile, so there are some attempts.
 */
const directoryGuard = `
  while read -r _; do :; done
  attempts=0
  until rm -rf "$1" || [ $((attempts += 1)) -ge 100 ]; do sleep 0.1; done
`;

/** Starts a server at a new site; when that fails, nothing of the site is left. */
export async function atNewSite<T>(start: (site: ServerSite) => Promise<T>): Promise<T> {
  const [user, port] = await Promise.all([unprivilegedUser(), freePort()]);
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  await chown(directory, user.uid, user.gid);
  const guard = spawn('sh', ['-c', directoryGuard, 'sh', directory], {
    ...identity(user),
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const gone = once(guard, 'exit');
  const remove = async () => {
    guard.stdin.end();
    await gone;
  };
  try {
    return await start({ user, directory, port, remove });
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * `tree`, or a copy of it at the site when the server's user may not read it where it is, as when root keeps the
 * project in a home directory.
 */
export async function readableAt({ user, directory }: ServerSite, tree: string): Promise<string> {
  if (spawnSync('ls', [tree], identity(user)).status === 0) return tree;
  const copy = join(directory, 'programs');
  await cp(tree, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}
