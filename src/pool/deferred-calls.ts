/**
 * The core runs in synchronous sections. A section queues its calls of user code here; they run when the section has
 * ended and the state is consistent (P13). User code may call the pool: the calls of that section join the end of the
 * same line. User code runs in the async context in which the pool was made, and so does everything that it starts.
 */
import { AsyncContext } from '../runtime/async-context.js';

export class DeferredCalls {
  readonly context = new AsyncContext();
  readonly #calls: (() => void)[] = [];
  #calling = false;

  /** Runs a section, then the calls that it queued. */
  run<T>(section: () => T): T {
    const result = section();
    this.end();
    return result;
  }

  /** Queues a call for the end of the section. It must not throw. */
  afterwards(call: () => void): void {
    this.#calls.push(call);
  }

  /** Ends a section that was not started with `run`. */
  end(): void {
    if (this.#calls.length > 0 && !this.#calling) this.context.run(this.#callAll);
  }

  readonly #callAll = (): void => {
    this.#calling = true;
    try {
      for (let next = 0; next < this.#calls.length; next++) this.#calls[next]?.();
    } finally {
      this.#calls.length = 0;
      this.#calling = false;
    }
  };
}
