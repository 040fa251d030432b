/**
 * HeldPlace: one place of a key, held by this process because it has bound the name of the place.
 *
 * Invariants
 *   MC1  One process or thread of the machine holds a place, because the kernel gives its name to one.
 *   MC2  A place is free as soon as its holder releases it, ends or is killed. Nothing is left to clean up, nothing expires.
 *   MC3  A holder that is stopped or blocked keeps its place, and delays only the waiters for that place.
 *   MC4  The longest waiter is called first. A newcomer may come between the release and the call, so this is no strict order;
 *        but the process that has released to a waiter steps back until that waiter has bound the name.
 *   MC5  A waiter that does not react when it is called delays the others once, by `stepBackMs`.
 *
 * Hand-over: the name is freed, the head of the queue is called, the others get the message to wait with the next holder.
 * Cost: one listening socket per place, one connection per waiter and place.
 * Lineage: the abstract sockets of Linux as single-instance locks; the queue with its holder as in an MCS lock.
 */
import { setTimer } from '../runtime/clock.js';
import { bind } from './bound-name.js';
import { type Server, type Socket, thisProcess } from './node-parts.js';
import { Peer } from './peer.js';

/** Milliseconds: long enough for a running process to react, short enough not to matter when it is stopped. */
const stepBackMs = 20;

interface Waiter {
  readonly peer: Peer;
  readonly since: bigint;
}

export class HeldPlace {
  /** The longest waiter first. */
  readonly #queue: Waiter[] = [];
  readonly #visitors = new Set<Peer>();
  #server: Server | undefined;

  /** `undefined` when another holder has bound the name. */
  static async take(name: string): Promise<HeldPlace | undefined> {
    const place = new HeldPlace();
    place.#server = await bind(name, (socket) => place.#welcome(socket));
    return place.#server === undefined ? undefined : place;
  }

  /** How many waiters are connected to this holder. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Frees the place at once; resolves when the next holder has it, or the wait for that is over. */
  async leave(): Promise<void> {
    this.#server?.close();
    let called: Peer | undefined;
    try {
      for (let head = this.#queue.shift(); head !== undefined; head = this.#queue.shift()) {
        called = head.peer;
        if ((await call(called)) !== 'gone') break;
      }
    } finally {
      for (const peer of this.#visitors) peer.leave(peer === called ? undefined : { moved: true });
    }
  }

  #welcome(socket: Socket): void {
    socket.unref();
    const peer = new Peer(socket);
    this.#visitors.add(peer);
    peer.send({ pid: thisProcess().pid });
    peer.onMessage = ({ since }) => {
      if (typeof since !== 'string' || !/^\d{1,20}$/.test(since)) return;
      if (this.#queue.some((waiter) => waiter.peer === peer)) return;
      this.#join({ peer, since: BigInt(since) });
    };
    peer.onClose = () => {
      this.#visitors.delete(peer);
      const at = this.#queue.findIndex((waiter) => waiter.peer === peer);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  #join(waiter: Waiter): void {
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1]!.since > waiter.since) at--;
    this.#queue.splice(at, 0, waiter);
  }
}

/** Calls a waiter to the free place. */
function call(peer: Peer): Promise<'bound' | 'gone' | 'late'> {
  return new Promise((resolve) => {
    // In the foreground: the next caller of this process may be waiting for it.
    const timer = setTimer(() => resolve('late'), stepBackMs);
    const end = (how: 'bound' | 'gone') => {
      timer.cancel();
      resolve(how);
    };
    const forget = peer.onClose;
    peer.onMessage = ({ bound }) => bound && end('bound');
    peer.onClose = () => {
      forget();
      end('gone');
    };
    peer.send({ next: true });
  });
}
