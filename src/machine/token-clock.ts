/**
 * TokenClock: fencing tokens without a write per grant.
 *
 * Invariants
 *   MC8  Tokens grow from grant to grant over all processes and threads, also when a holder was killed and when the wall clock
 *        is set: they are the machine's monotonic clock in nanoseconds, plus an offset that is the same for all.
 *   MC9  The offset is written once per boot, as a whole, by whichever process comes first. It is read only from a directory
 *        that belongs to this user and that no other user can write to.
 *
 * Over a reboot tokens grow as the wall clock does. Cost: one file per boot, read once per object.
 */
import { files, type SystemError, thisProcess } from './node-parts.js';

const bootIdFile = '/proc/sys/kernel/random/boot_id';

export class TokenClock {
  readonly #directory: string;
  #offset: bigint | undefined;
  #last = 0n;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads the offset, if that has not been done. Rejects with an error that names the directory. */
  async prepare(): Promise<void> {
    this.#offset ??= await this.#readOffset().catch((cause: Error) => {
      const message = `the offset of the fencing tokens cannot be kept in ${this.#directory}: ${cause.message}`;
      throw new Error(`${message}; set the option directory to one that only this user can write to`, {
        cause,
      });
    });
  }

  token(): bigint {
    const token = thisProcess().hrtime.bigint() + this.#offset!;
    this.#last = token > this.#last ? token : this.#last + 1n;
    return this.#last;
  }

  async #readOffset(): Promise<bigint> {
    await files.mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const stats = await files.lstat(this.#directory);
    if (!stats.isDirectory()) throw new Error('it is not a directory');
    if (stats.uid !== thisProcess().getuid()) throw new Error('it belongs to another user');
    if ((stats.mode & 0o022) !== 0) throw new Error('other users can write to it');
    const boot = (await files.readFile(bootIdFile, 'utf8')).trim();
    const file = `${this.#directory}/token-offset-${boot}`;
    const text = await files.readFile(file, 'utf8').catch(() => this.#writeOffset(file));
    if (!/^\d{1,20}$/.test(text)) throw new Error(`${file} is damaged`);
    return BigInt(text);
  }

  /** Written beside its place and linked into it, so that it appears as a whole, and only once. */
  async #writeOffset(file: string): Promise<string> {
    const draft = `${file}.${globalThis.crypto.randomUUID()}`;
    const offset = BigInt(Date.now()) * 1_000_000n - thisProcess().hrtime.bigint();
    await files.writeFile(draft, String(offset), { mode: 0o600, flag: 'wx' });
    try {
      await files.link(draft, file).catch((error: SystemError) => {
        if (error.code !== 'EEXIST') throw error;
      });
    } finally {
      await files.unlink(draft);
    }
    return files.readFile(file, 'utf8');
  }
}
