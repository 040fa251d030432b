/**
 * PlaceWait: waits for one of the places of a key, with the holders of all of them.
 *
 * Invariants
 *   MC6  A wait ends with one place or with none. A second place that it gets at the same time is freed at once.
 *   MC7  A holder that never answers, that is of another version or that was stopped while it left cannot hide a free place:
 *        every waiter looks for itself, at least every second.
 *
 * Cancel: leaves all queues, in the turn of the abort.
 * Cost: one connection per place; the operating system wakes the waiter, so only MC7 polls.
 */
import { exponential } from '../retry/backoff.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import { dial } from './bound-name.js';
import { HeldPlace } from './held-place.js';
import { thisProcess } from './node-parts.js';
import { Peer } from './peer.js';

const lookEveryMs = 1_000;
/** The pause, in milliseconds, of a waiter that another one overtook or that the holder refused. */
const pauseMs = exponential({ initialMs: 1, maxMs: 16, jitter: 'equal' });

/** A round that took longer, in milliseconds, does not count as a refusal by the holder. */
const longRoundMs = 20;
/** How often in a row a waiter follows without a pause: a lock that is held briefly has a new holder often. */
const mostMoves = 8;

/** How a wait with one holder ends. */
type Ending = 'next' | 'moved' | 'closed';

export class PlaceWait {
  readonly #names: readonly string[];
  readonly #onHolder: (pid: number) => void;
  readonly #since = String(thisProcess().hrtime.bigint());
  readonly #peers = new Set<Peer>();
  #timer: Timer | undefined;
  #end: (place?: HeldPlace) => void = () => {};
  #isOver = false;

  /** `onHolder` is called with the process that holds a place. */
  constructor(names: readonly string[], onHolder: (pid: number) => void) {
    this.#names = names;
    this.#onHolder = onHolder;
  }

  /** Resolves with a place, and with `undefined` when the signal has aborted; rejects when the system refuses a socket. */
  async place(signal: AbortSignal): Promise<HeldPlace | undefined> {
    if (signal.aborted) return undefined;
    const leave = () => this.#end();
    try {
      return await new Promise((resolve, reject) => {
        // The wait ends in this turn, so a place that arrives in the next one is freed.
        const ending =
          <T>(settle: (value: T) => void) =>
          (value: T) => {
            this.#isOver = true;
            settle(value);
          };
        this.#end = ending<HeldPlace | undefined>(resolve);
        const fail = ending(reject);
        signal.addEventListener('abort', leave);
        this.#lookLater(fail);
        for (const name of this.#names) this.#watch(name).catch(fail);
      });
    } finally {
      signal.removeEventListener('abort', leave);
      this.#timer?.cancel();
      for (const peer of this.#peers) peer.leave();
    }
  }

  #lookLater(fail: (error: unknown) => void): void {
    this.#timer = setTimer(() => {
      const looks = this.#names.map((name) => this.#take(name));
      Promise.all(looks).then(() => this.#isOver || this.#lookLater(fail), fail);
    }, lookEveryMs);
  }

  /** Waits with the holder of one name, and with the one after it, until the wait is over. */
  async #watch(name: string): Promise<void> {
    for (let attempt = 1; !this.#isOver; attempt++) {
      const startedMs = now();
      const ending = await this.#waitWithHolder(name);
      if (this.#isOver) return;
      if (now() - startedMs > longRoundMs) attempt = 0;
      else if (ending !== 'moved' || attempt > mostMoves) await this.#pause(attempt);
    }
  }

  async #waitWithHolder(name: string): Promise<Ending> {
    const socket = await dial(name);
    if (socket === undefined) {
      await this.#take(name);
      return 'closed';
    }
    const peer = new Peer(socket);
    if (this.#isOver) {
      peer.leave();
      return 'closed';
    }
    this.#peers.add(peer);
    const ending = await this.#stand(peer);
    // From now on the end of the wait must not close the connection, because the holder waits for the answer.
    this.#peers.delete(peer);
    if (ending !== 'moved') await this.#take(name);
    peer.leave(ending === 'next' ? { bound: true } : undefined);
    return ending;
  }

  #stand(peer: Peer): Promise<Ending> {
    return new Promise((resolve) => {
      peer.onMessage = ({ next, moved, pid }) => {
        if (next === true) resolve('next');
        else if (moved === true) resolve('moved');
        else if (Number.isSafeInteger(pid)) this.#onHolder(pid!);
      };
      peer.onClose = () => resolve('closed');
      peer.send({ since: this.#since });
    });
  }

  async #take(name: string): Promise<void> {
    if (this.#isOver) return;
    const place = await HeldPlace.take(name);
    if (place === undefined) return;
    if (this.#isOver) void place.leave();
    else this.#end(place);
  }

  #pause(attempt: number): Promise<void> {
    return new Promise((resolve) => setTimer(resolve, pauseMs(attempt, 0, Math.random)));
  }
}
