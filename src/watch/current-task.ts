/** Which task the code that runs now belongs to. Where the platform has no AsyncLocalStorage, only within one synchronous call. */
import { nodeModule } from '../runtime/node-module.js';
import type { Task } from './wait-graph.js';

interface TaskStorage {
  run<T>(task: Task, code: () => T): T;
  getStore(): Task | undefined;
}

class SynchronousStorage implements TaskStorage {
  #current: Task | undefined;

  run<T>(task: Task, code: () => T): T {
    const before = this.#current;
    this.#current = task;
    try {
      return code();
    } finally {
      this.#current = before;
    }
  }

  getStore(): Task | undefined {
    return this.#current;
  }
}

const hooks = nodeModule<{ AsyncLocalStorage?: new () => TaskStorage }>('node:async_hooks');

export const followsTasks = hooks?.AsyncLocalStorage !== undefined;
export const currentTask: TaskStorage = new (hooks?.AsyncLocalStorage ?? SynchronousStorage)();
