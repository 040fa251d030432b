import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user that a server runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const standIn = 'latchkey-test';

/**
 * The user that test servers run as: the present one, or, as root, one without privileges, made when missing.
 * PostgreSQL and pgbouncer refuse root, and the SSH server needs a user with a shell.
 */
export async function unprivilegedUser(): Promise<ServerUser> {
  const { username, uid, gid } = userInfo();
  if (uid !== 0) return { name: username, uid, gid };
  return find(standIn).catch(async () => {
    const home = ['--no-create-home', '--home-dir', '/'];
    const madeElsewhere = await run('useradd', ['--system', ...home, '--shell', '/bin/sh', standIn]).then(
      () => undefined,
      (error: unknown) => error,
    );
    return find(standIn).catch(() => Promise.reject(madeElsewhere));
  });
}

async function find(name: string): Promise<ServerUser> {
  const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
  return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** The options with which `spawn` runs a program as `user`; only root can choose. */
export function identity({ uid, gid }: ServerUser): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid, gid } : {};
}
