import { type Holder, type Releasable, runAndRelease } from '../calling/run-and-release.js';
import type { Awaitable, Permit } from '../contract/types.js';
import { type ObservedGrant, observer } from '../runtime/observer.js';
import type { Turn } from '../waiting/waiter.js';

/** What Node prints in place of an object. */
export const inspect: unique symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom') as never;

/** What a permit releases. */
export interface PermitHolder extends Releasable {
  /** For an observer: what the permit stands for, or the permits of which it is made. */
  readonly standsFor?: ObservedGrant;
  readonly parts?: Iterable<object>;
}

/** A holder of tasks that a permit can stand for. */
export interface TaskHolder extends Holder, PermitHolder {}

/** Releases its holder once. A logger prints only whether it was released. */
export class HeldPermit<H extends PermitHolder = PermitHolder> implements Permit {
  /** Until the release. */
  #holder: H | undefined;

  constructor(holder: H) {
    this.#holder = holder;
    if (observer !== undefined && holder.standsFor !== undefined) observer.granted(this, holder.standsFor);
  }

  /** Runs a task that was granted at once. Only an observer needs a permit for it. */
  static run<R>(holder: TaskHolder, task: (...nothing: never[]) => Awaitable<R>): Promise<R> {
    return observer === undefined ? holder.run(task) : HeldPermit.#observe(task, new HeldPermit(holder));
  }

  /** Runs a task whose turn has come. */
  static start<R>({ task, granted }: Turn<HeldPermit<TaskHolder>, R>): Promise<R> {
    return observer === undefined ? granted.#holder!.run(task) : HeldPermit.#observe(task, granted);
  }

  static #observe<R>(task: (...nothing: never[]) => Awaitable<R>, permit: HeldPermit): Promise<R> {
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
    observer?.released(this);
    holder?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  toJSON(): object {
    return { released: this.released };
  }

  [inspect](): string {
    return `Permit { released: ${this.released} }`;
  }
}
