/**
 * Every call of user code goes through here: in the async context in which the pool was made, inside a try, and
 * with what goes wrong turned into an event. A hook may throw, reject, never settle or call the pool back.
 */
import { channel, type Exposed, exposed } from '../channels.js';
import type { Context } from '../context.js';
import type { CloseReason, ConnectContext, ConnectionPoolEvent, Connector, HookName } from './connector.js';
import type { PoolLease } from './lease.js';

/** On the channel `latchkey:pool:event`: what `onEvent` is told. */
export type PoolEventMessage = Exposed<ConnectionPoolEvent> & { readonly source: object };

/** On the channel `latchkey:pool:release`: a connection was given back. */
export interface PoolReleaseMessage {
  readonly source: object;
  readonly key?: unknown;
  readonly heldMs: number;
}

const events = channel<PoolEventMessage>('latchkey:pool:event');
const releases = channel<PoolReleaseMessage>('latchkey:pool:release');

export class Hooks<C, K> {
  readonly #source: object;
  readonly #connector: Connector<C, K>;
  readonly #onEvent: ((event: ConnectionPoolEvent) => void) | undefined;
  readonly #context: Context;

  constructor(
    source: object,
    connector: Connector<C, K>,
    onEvent: ((event: ConnectionPoolEvent) => void) | undefined,
    context: Context,
  ) {
    this.#source = source;
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

  get canReset(): boolean {
    return this.#connector.reset !== undefined;
  }

  get canValidate(): boolean {
    return this.#connector.validate !== undefined;
  }

  /** Whether leasing and idling have to be told. */
  get countsReferences(): boolean {
    return this.#connector.ref !== undefined || this.#connector.unref !== undefined;
  }

  connect(key: K, context: ConnectContext): Promise<C> {
    return this.#promise(() => this.#connector.connect(key, context));
  }

  close(connection: C, reason: CloseReason): Promise<void> {
    return this.#promise(() => this.#connector.close(connection, reason));
  }

  validate(connection: C, signal: AbortSignal): Promise<boolean | undefined> {
    return this.#promise(() => this.#connector.validate?.(connection, signal));
  }

  async reset(connection: C, signal: AbortSignal): Promise<boolean> {
    await this.#promise(() => this.#connector.reset?.(connection, signal));
    return true;
  }

  keyId(key: K): unknown {
    return this.#connector.keyId === undefined ? key : this.#askKeyId(key);
  }

  /** Apart from `keyId`, as below: a function that makes functions pays for it with every call. */
  #askKeyId(key: K): unknown {
    return this.#context.run(() => this.#connector.keyId?.(key));
  }

  /** No hook, no doubt; a hook that throws means no. */
  isAlive(connection: C, key: K): boolean {
    return this.#connector.isAlive === undefined || this.#askIsAlive(connection, key);
  }

  #askIsAlive(connection: C, key: K): boolean {
    return this.#attempt('isAlive', key, () => this.#connector.isAlive?.(connection)) === true;
  }

  isReusable(connection: C, key: K, error: unknown): boolean {
    return this.#attempt('isReusable', key, () => this.#connector.isReusable?.(connection, error)) === true;
  }

  ref(connection: C, key: K): void {
    this.#attempt('ref', key, () => this.#connector.ref?.(connection));
  }

  unref(connection: C, key: K): void {
    this.#attempt('unref', key, () => this.#connector.unref?.(connection));
  }

  released(lease: PoolLease<C, K>): void {
    releases.publish(exposed({ source: this.#source, key: lease.key, heldMs: lease.heldMs }));
  }

  emit(event: ConnectionPoolEvent): void {
    if (events.hasSubscribers) {
      this.#context.run(() => events.publish(exposed({ source: this.#source, ...event })));
    }
    if (this.#onEvent === undefined) return;
    try {
      this.#context.run(this.#onEvent, event);
    } catch {
      // A listener's own trouble: there is nobody left to tell.
    }
  }

  #promise<T>(hook: () => T | PromiseLike<T>): Promise<T> {
    try {
      return Promise.resolve(this.#context.run(hook));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #attempt<T>(hook: HookName, key: K, call: () => T): T | undefined {
    try {
      return this.#context.run(call);
    } catch (error) {
      this.emit({ type: 'hookError', key, hook, error });
      return undefined;
    }
  }
}
