/**
 * "One customer imports a file of 20 MB, and for two seconds no other user can log in."
 *
 * A thread does the work, so the event loop stays free. piscina keeps a fixed number of threads: one per import would mean a
 * hundred threads for a hundred imports. A semaphore bounds the waiting callers, and lets each of them give up.
 *
 * Use it only for work that takes well over 1 ms: a call to a thread costs 30 us, and input and result are copied.
 */
import { availableParallelism } from 'node:os';
import { Semaphore, type WaitOptions } from 'latchkey';
import { Piscina } from 'piscina';

export interface OffThreadOptions {
  /** Default: one less than the number of cores, because the event loop needs one. */
  threads?: number;
  maxWaiting?: number;
}

export class OffThread<Input, Output> implements AsyncDisposable {
  readonly #threads: Piscina<Input, Output>;
  readonly #limit: Semaphore;

  /** `worker`: a module whose default export does the work. */
  constructor(worker: URL, options: OffThreadOptions = {}) {
    const { threads = Math.max(1, availableParallelism() - 1), maxWaiting = 100 } = options;
    this.#threads = new Piscina({ filename: worker.href, maxThreads: threads });
    this.#limit = new Semaphore(threads, { maxWaiting });
  }

  /** Rejects as `Semaphore.run` does. An abort during the work ends its thread, because nothing else can stop it. */
  run(input: Input, options: WaitOptions = {}): Promise<Output> {
    const { signal } = options;
    return this.#limit.run(() => this.#threads.run(input, signal && { signal }), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#limit.close();
    await this.#limit.idle();
    await this.#threads.destroy();
  }
}
