/** The lease engine of one machine: no server, no file per lock. A lease ends with its release or with its process. */

import { answerWithin } from '../calling/with-timeout.js';
import { checkString, type OptionNames } from '../contract/arguments.js';
import type { LockOptions } from '../contract/types.js';
import { checkName, type LockKind } from '../remote-locks/key-name.js';
import type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import type { LeaseOptions } from '../remote-locks/lease-options.js';
import { lockOptionNames } from '../waiting/lock-settings.js';
import { boundName, dial } from './bound-name.js';
import { HeldPlace } from './held-place.js';
import { os, thisProcess } from './node-parts.js';
import { type Message, Peer } from './peer.js';
import { PlaceWait } from './place-wait.js';
import { TokenClock } from './token-clock.js';

/**
 * Options of `MachineMutex` and `MachineSemaphore`. `maxWaiting` counts the callers of this process, per key, without the one
 * caller for which the other processes are asked.
 */
export interface MachineLockOptions extends LockOptions {
  /** Keys of different namespaces are different locks. Default 'latchkey'. */
  namespace?: string | undefined;
  /**
   * Where a file per boot keeps the fencing tokens comparable between processes, which must all use the same one. It is made when
   * it is missing, and only this user may write to it. Default `latchkey-<uid>` in `os.tmpdir()`.
   */
  directory?: string | undefined;
}

export const machineOptionNames: OptionNames<MachineLockOptions> = {
  ...lockOptionNames,
  namespace: true,
  directory: true,
};

/** A grant of the kernel does not expire: the deadline of the lease keeper is some 285,000 years away. */
export function withoutEnd({ waitTimeoutMs, maxWaiting }: MachineLockOptions): LeaseOptions {
  return { ttlMs: Number.MAX_SAFE_INTEGER, maxHoldMs: Infinity, waitTimeoutMs, maxWaiting };
}

/** Milliseconds: how long a holder may take to say who it is. */
const answerMs = 1_000;

export class MachineEngine implements LeaseEngine {
  readonly #kind: LockKind;
  readonly #namespace: string;
  readonly #places: number;
  readonly #clock: TokenClock;
  readonly #held = new Map<string, HeldPlace>();
  /** Places that were released to a waiter of another process which has not bound them yet. */
  readonly #leaving = new Map<string, Promise<void>>();

  /** @throws Error where there are no abstract names; TypeError or RangeError for a bad option. */
  constructor(kind: LockKind, options: MachineLockOptions, places = 1) {
    const { namespace = 'latchkey' } = options;
    checkName('namespace', namespace);
    if (thisProcess()?.platform !== 'linux') {
      throw new Error(
        'latchkey/machine needs Node.js on Linux: other systems have no socket names that end with their process',
      );
    }
    const { directory = `${os.tmpdir()}/latchkey-${thisProcess().getuid()}` } = options;
    checkString('directory', directory);
    this.#kind = kind;
    this.#namespace = namespace;
    this.#places = places;
    this.#clock = new TokenClock(directory);
  }

  async acquire({ key, owner, signal, nowait, hint }: LeaseRequest): Promise<LeaseAnswer> {
    await this.#clock.prepare();
    await this.#leaving.get(key);
    const names = Array.from({ length: this.#places }, (_, place) =>
      boundName(this.#kind, this.#namespace, key, place),
    );
    let place = await firstFree(names);
    if (place === undefined && !nowait) {
      place = await new PlaceWait(names, (pid) => hint?.(`process ${pid} holds it`)).place(signal);
    }
    if (place === undefined) return { freeInMs: nowait ? Infinity : 0 };
    this.#held.set(owner, place);
    return { token: this.#clock.token() };
  }

  async renew(_key: string, owner: string): Promise<boolean> {
    return this.#held.has(owner);
  }

  async release(key: string, owner: string): Promise<boolean> {
    const place = this.#held.get(owner);
    if (place === undefined) return false;
    this.#held.delete(owner);
    if (place.waiting === 0) void place.leave();
    else this.#stepBack(key, place);
    return true;
  }

  /** The process that has bound the name, as it says itself. A process that is stopped or blocked does not answer. */
  async holder(key: string): Promise<LeaseHolder | undefined> {
    const socket = await dial(boundName(this.#kind, this.#namespace, key, 0));
    if (socket === undefined) return undefined;
    const peer = new Peer(socket);
    const answer = new Promise<Message>((resolve) => {
      peer.onMessage = resolve;
    });
    const { pid } = await answerWithin(answerMs, () => answer).catch((): Message => ({}));
    peer.leave();
    const owner = pid === undefined ? 'a process that does not answer' : `process ${pid}`;
    return { owner, heldMs: undefined, leftMs: Infinity };
  }

  #stepBack(key: string, place: HeldPlace): void {
    const leaving = place.leave().then(() => {
      if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
    });
    this.#leaving.set(key, leaving);
  }
}

async function firstFree(names: readonly string[]): Promise<HeldPlace | undefined> {
  for (const name of names) {
    const place = await HeldPlace.take(name);
    if (place !== undefined) return place;
  }
  return undefined;
}
