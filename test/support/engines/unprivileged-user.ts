import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whom a server runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const standIn = 'latchkey-test';

/**
 * The user whom test servers run as: the present one, or, as root, one without privileges, made when missing.
 * PostgreSQL and pgbouncer refuse root, and the SSH server needs somebody with a shell to let in.
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

/** What `spawn` needs to run something as `user`; only root has the choice. */
export function identity({ uid, gid }: ServerUser): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid, gid } : {};
}
