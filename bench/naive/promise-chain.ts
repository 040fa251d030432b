// Where: the shortest mutex there is. `tail = tail.then(task)`.
// Cost: a waiter cannot give up, by signal or by timeout; a lock that hangs is silent.
export class PromiseChain {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task);
    this.#tail = result;
    return result;
  }
}
