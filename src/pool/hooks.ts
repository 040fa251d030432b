/**
 * Calls all user code, in the async context in which the pool was made, and inside a try. An error becomes an event. A
 * hook may throw, reject, never settle or call the pool.
 */
import { decide, ignoreRejection, notify } from '../calling/listeners.js';
import { checkLimit } from '../contract/arguments.js';
import type { Awaitable } from '../contract/types.js';
import type { AsyncContext } from '../runtime/async-context.js';
import { channel, type Exposed, exposed } from '../runtime/channels.js';
import type { CloseReason, ConnectContext, Connector } from './connector.js';
import type { PoolLease } from './lease.js';
import type { ConnectionPoolEvent, HookName } from './reports.js';

/** Published on the channel `latchkey:pool:event`: the argument of `onEvent`. */
export type PoolEventMessage = Exposed<ConnectionPoolEvent> & { readonly source: object };

/** Published on the channel `latchkey:pool:release`: a connection was given back. */
export interface PoolReleaseMessage {
  readonly source: object;
  readonly key?: unknown;
  readonly heldMs: number;
}

const events = /* @__PURE__ */ channel<PoolEventMessage>('latchkey:pool:event');
const releases = /* @__PURE__ */ channel<PoolReleaseMessage>('latchkey:pool:release');

/** What sockets, sessions and child processes of Node have. */
interface Referenced {
  ref(): unknown;
  unref(): unknown;
}

function isReferenced(connection: unknown): boolean {
  try {
    const { ref, unref } = Object(connection) as Partial<Referenced>;
    return typeof ref === 'function' && typeof unref === 'function';
  } catch {
    // A connection may be any object, even one that throws when it is read.
    return false;
  }
}

export class Hooks<C, K> {
  /** The pool that users know. */
  readonly source: object;
  readonly #connector: Connector<C, K>;
  readonly #onEvent: ((event: ConnectionPoolEvent) => void) | undefined;
  readonly #context: AsyncContext;

  constructor(
    source: object,
    connector: Connector<C, K>,
    onEvent: ((event: ConnectionPoolEvent) => void) | undefined,
    context: AsyncContext,
  ) {
    this.source = source;
    this.#connector = connector;
    this.#onEvent = onEvent;
    this.#context = context;
  }

  get listens(): boolean {
    return this.#onEvent !== undefined || events.hasSubscribers;
  }

  get watchesReleases(): boolean {
    return releases.hasSubscribers;
  }

  /** A connector that takes no key has one target. */
  get hasOneTarget(): boolean {
    return this.#connector.connect.length === 0 && !this.identifies;
  }

  get #hasReferenceHooks(): boolean {
    return this.#connector.ref !== undefined || this.#connector.unref !== undefined;
  }

  get canReset(): boolean {
    return this.#connector.reset !== undefined;
  }

  get canValidate(): boolean {
    return this.#connector.validate !== undefined;
  }

  /** Whether `ref` or `unref` must be called. Without these hooks, a connection that has both methods is taken for a socket. */
  countsReferences(connection: C): boolean {
    return this.#hasReferenceHooks || isReferenced(connection);
  }

  connect(key: K, context: ConnectContext): Promise<C> {
    return this.#promise(() => this.#connector.connect(key, context));
  }

  close(connection: C, reason: CloseReason): Promise<void> {
    return this.#promise(() => this.#connector.close(connection, reason));
  }

  /** The answer of the hook. Rejects with what the hook throws. Called after a section, so already in the context of the pool. */
  check(hook: 'validate' | 'reset', connection: C, signal: AbortSignal): Promise<unknown> {
    const connector = this.#connector as Record<typeof hook, (...args: unknown[]) => Awaitable<unknown>>;
    try {
      return Promise.resolve(connector[hook](connection, signal));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  takesSignal(hook: 'validate' | 'reset'): boolean {
    return (this.#connector[hook]?.length ?? 0) > 1;
  }

  /** Whether keys that differ may mean the same target. */
  get identifies(): boolean {
    return this.#connector.keyId !== undefined;
  }

  keyId(key: K): unknown {
    return this.#connector.keyId === undefined ? key : this.#askKeyId(key);
  }

  /** A separate method, as below: V8 allocates a context on every call of a function that contains closures. */
  #askKeyId(key: K): unknown {
    return decide(this.#context, 'keyId', () => this.#connector.keyId?.(key));
  }

  /** Without the hook the answer is yes; a hook that throws means no. */
  isAlive(connection: C, key: K): boolean {
    return this.#connector.isAlive === undefined || this.#askIsAlive(connection, key);
  }

  #askIsAlive(connection: C, key: K): boolean {
    return this.#ask('isAlive', key, () => this.#connector.isAlive?.(connection));
  }

  /** The answer of `maxPerKey`, where it is a function. */
  maxPerKey(ask: (key: K) => number, key: K): number {
    const answer = decide(this.#context, 'maxPerKey', ask, key);
    checkLimit('the answer of maxPerKey', answer);
    return answer;
  }

  isReusable(connection: C, key: K, error: unknown): boolean {
    return this.#ask('isReusable', key, () => this.#connector.isReusable?.(connection, error));
  }

  ref(connection: C, key: K): void {
    this.#callReference('ref', connection, key);
  }

  unref(connection: C, key: K): void {
    this.#callReference('unref', connection, key);
  }

  #callReference(hook: 'ref' | 'unref', connection: C, key: K): void {
    this.#callListener(hook, key, () =>
      this.#hasReferenceHooks ? this.#connector[hook]?.(connection) : (connection as Referenced)[hook](),
    );
  }

  released(lease: PoolLease<C, K>): void {
    releases.publish(exposed({ source: this.source, key: lease.key, heldMs: lease.heldMs }));
  }

  emit(event: ConnectionPoolEvent): void {
    if (events.hasSubscribers) {
      this.#context.run(() => events.publish(exposed({ source: this.source, ...event })));
    }
    notify(this.#context, this.#onEvent, event);
  }

  #promise<T>(hook: () => T | PromiseLike<T>): Promise<T> {
    try {
      return Promise.resolve(this.#context.run(hook));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A hook that throws or returns a promise counts as no. */
  #ask(hook: HookName, key: K, decider: () => boolean | undefined): boolean {
    try {
      return decide(this.#context, hook, decider) === true;
    } catch (error) {
      this.emit({ type: 'hookError', key, hook, error });
      return false;
    }
  }

  #callListener(hook: HookName, key: K, listener: () => unknown): void {
    try {
      ignoreRejection(this.#context.run(listener));
    } catch (error) {
      this.emit({ type: 'hookError', key, hook, error });
    }
  }
}
