/**
 * The core runs in synchronous sections; user code that a section wants called waits here until the section has
 * ended and everything is consistent again (P13). It may then call the pool back: what that wants called joins the
 * end of the same line. It runs in the async context in which the pool was made, and so does all that it starts.
 */
import { AsyncContext } from '../runtime/async-context.js';

export class DeferredCalls {
  readonly context = new AsyncContext();
  readonly #calls: (() => void)[] = [];
  #calling = false;

  /** Runs a section, then what it wants called. */
  run<T>(section: () => T): T {
    const result = section();
    this.end();
    return result;
  }

  /** Has `call` called, which must not throw, when the section has ended. */
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
