/**
 * Async context (`AsyncLocalStorage`): code that is called on behalf of an object rather than of a request runs
 * in the context in which the object was made. Where the runtime has no async context, it is a plain call.
 */
import { nodeModule } from './node-module.js';

interface Scope {
  runInAsyncScope<A extends unknown[], R>(fn: (...args: A) => R, self: undefined, ...args: A): R;
}
interface AsyncHooks {
  AsyncResource: new (type: string) => Scope;
}

const AsyncResource = nodeModule<AsyncHooks>('node:async_hooks')?.AsyncResource;

export class AsyncContext {
  readonly #scope = AsyncResource && new AsyncResource('latchkey');

  run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
    return this.#scope === undefined ? fn(...args) : this.#scope.runInAsyncScope(fn, undefined, ...args);
  }
}

/** The context in which the package was loaded. Shared timers run in it, so that they keep no caller's context alive. */
export const rootContext = /* @__PURE__ */ new AsyncContext();
