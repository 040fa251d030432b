import { type Holder, type Releasable, runAndRelease } from '../calling/run-and-release.js';
import type { Awaitable, Permit } from '../contract/types.js';
import { type ObservedGrant, watching } from '../runtime/observer.js';
import type { WaitQueue } from '../waiting/wait-queue.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import type { Turn, Waiter } from '../waiting/waiter.js';

/** What a permit releases. */
export interface PermitHolder extends Releasable {
  /** For an observer: what the permit stands for, or the permits of which it is made. */
  readonly standsFor?: ObservedGrant;
  readonly parts?: Iterable<object>;
}

/** A holder of tasks that a permit can stand for. */
export interface TaskHolder extends Holder, PermitHolder {}

/** What a waiter is granted: a permit, or for its task the holder itself. */
export type Grant = HeldPermit<TaskHolder> | TaskHolder;

/** Releases its holder once. A logger prints only whether it was released. */
export class HeldPermit<H extends PermitHolder = PermitHolder> implements Permit {
  /** Until the release. */
  #holder: H | undefined;

  constructor(holder: H) {
    this.#holder = holder;
    if (watching.observer !== undefined && holder.standsFor !== undefined)
      watching.observer.granted(this, holder.standsFor);
  }

  /** Runs a task that was granted at once, under a permit: only an observer needs one. */
  static observe<R>(holder: TaskHolder, task: (...nothing: never[]) => Awaitable<R>): Promise<R> {
    return HeldPermit.#run(task, new HeldPermit(holder));
  }

  /** Waits for a permit. */
  static wait<D>(queue: WaitQueue<Grant, D>, settings: WaitSettings, demand: D): Promise<Permit> {
    return queue.wait(settings, demand) as Promise<HeldPermit>;
  }

  /** Grants what the holder has to a waiter. One that brought a task needs no permit, unless an observer is to see it. */
  static grant(waiter: Waiter<Grant, unknown>, holder: TaskHolder): void {
    const needsPermit = waiter.task === undefined || watching.observer !== undefined;
    waiter.grant(needsPermit ? new HeldPermit(holder) : holder);
  }

  /** Runs a task whose turn has come. */
  static start<R>({ task, granted }: Turn<Grant, R>): Promise<R> {
    return granted instanceof HeldPermit ? HeldPermit.#run(task, granted) : granted.run(task);
  }

  static #run<R>(task: (...nothing: never[]) => Awaitable<R>, permit: HeldPermit): Promise<R> {
    return runAndRelease(permit, () => task());
  }

  /** For an observer. */
  get parts(): Iterable<object> | undefined {
    return this.#holder?.parts;
  }

  get released(): boolean {
    return this.#holder === undefined;
  }

  release(): void {
    const holder = this.#holder;
    this.#holder = undefined;
    watching.observer?.released(this);
    holder?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  toJSON(): object {
    return { released: this.released };
  }

  /** Shown by `console.log`. Bundlers drop an unused class with it, and keep one whose method names they cannot evaluate. */
  get [Symbol.toStringTag](): string {
    return this.released ? 'released' : 'held';
  }
}
