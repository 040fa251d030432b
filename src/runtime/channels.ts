/**
 * Publishing on `node:diagnostics_channel`. Each primitive owns its channels, and makes a message only while there are
 * subscribers: without them the only cost is one check. Where the runtime has no channels, there are no subscribers.
 *
 * Invariants
 *   CH1  A message holds facts only: counts, names, the object it is about. It has no permit, no lease and no error object,
 *        and `JSON.stringify` can print it.
 *   CH2  A message has no key until `exposeKeys(true)`, not even in the text of an error.
 *   CH3  An error of a listener does not reach the primitive. The runtime throws it as an uncaught exception a turn later.
 */
import { nodeModule } from './node-module.js';

export interface Channel<M extends object> {
  readonly hasSubscribers: boolean;
  publish(message: M): void;
}

/** The channel of the start, in which a tracer can bind an async context. */
interface StartChannel extends Channel<object> {
  runStores?<R>(message: object, run: () => R): R;
}

interface TracingParts {
  readonly start: StartChannel;
  readonly end: Channel<object>;
  readonly asyncStart: Channel<object>;
  readonly asyncEnd: Channel<object>;
  readonly error: Channel<object>;
}

interface Diagnostics {
  channel(name: string): Channel<object>;
  tracingChannel(name: string): TracingParts;
}

const diagnostics = nodeModule<Partial<Diagnostics>>('node:diagnostics_channel');
/** A stub for runtimes without channels: `hasSubscribers` is always falsy, so `publish` is never called. */
const unheard = {} as Channel<object>;

/** A channel that publishes facts only. */
export function channel<M extends object>(name: string): Channel<M> {
  const inner = diagnostics?.channel?.(name) ?? unheard;
  return {
    get hasSubscribers() {
      return inner.hasSubscribers;
    },
    publish: (message) => inner.publish(factsOf(message)),
  };
}

/**
 * Follows a promise, and reports its beginning and its end with the same message. It follows Node's protocol for tracing
 * channels, except that it leaves out the result: a listener could release a permit that it finds in a message.
 */
export class TracingChannel<M extends object> {
  /** Its `hasSubscribers` tells whether to make a message. */
  readonly start: StartChannel;
  readonly #parts: TracingParts | undefined;

  constructor(parts: TracingParts | undefined) {
    this.start = parts?.start ?? unheard;
    this.#parts = parts;
  }

  tracePromise<T>(begin: () => Promise<T>, message: M): Promise<T> {
    const { start, end, asyncStart, asyncEnd, error } = this.#parts!;
    const facts = factsOf(message) as { error?: ErrorFacts };
    const follow = (): Promise<T> => {
      const settled = begin().then(
        (value) => {
          asyncStart.publish(facts);
          asyncEnd.publish(facts);
          return value;
        },
        (reason) => {
          facts.error = errorFacts(reason);
          error.publish(facts);
          asyncStart.publish(facts);
          asyncEnd.publish(facts);
          throw reason;
        },
      );
      end.publish(facts);
      return settled;
    };
    if (start.runStores !== undefined) return start.runStores(facts, follow);
    start.publish(facts);
    return follow();
  }
}

export function tracingChannel<M extends object>(name: string): TracingChannel<M> {
  return new TracingChannel(diagnostics?.tracingChannel?.(name));
}

let keysAreExposed = false;

/**
 * Whether messages contain keys and the text of errors. Default: they do not. A key may be a person's address, and one label
 * per key breaks a metrics server.
 *
 * @example
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 * import { KeyedMutex } from 'latchkey';
 * import { exposeKeys, type WaitMessage } from 'latchkey/diagnostics';
 *
 * exposeKeys(true);
 * subscribe('tracing:latchkey:wait:start', (message) => console.log((message as WaitMessage).key)); // → ann
 * const accounts = new KeyedMutex<string>();
 * await Promise.all([accounts.run('ann', async () => {}), accounts.run('ann', async () => {})]);
 * ```
 */
export function exposeKeys(exposed: boolean): void {
  if (typeof exposed !== 'boolean') throw new TypeError('exposed must be a boolean');
  keysAreExposed = exposed;
}

/** An error in a message: facts, not the error itself. */
export interface ErrorFacts {
  /** The error's `name`; for a reason that is not an object, its type. */
  readonly name: string;
  readonly code?: string | number;
  /** Only after `exposeKeys(true)`: a text may name a key. */
  readonly message?: string;
}

function errorFacts(error: unknown): ErrorFacts {
  const facts: { -readonly [N in keyof ErrorFacts]: ErrorFacts[N] } = { name: typeof error };
  try {
    const { name, code, message } = Object(error) as Record<string, unknown>;
    if (typeof name === 'string') facts.name = name;
    if (typeof code === 'string' || typeof code === 'number') facts.code = code;
    if (keysAreExposed && typeof message === 'string') facts.message = message;
  } catch {
    // A reason may be any object, even one that throws when it is read.
  }
  return facts;
}

/** A message without keys, unless they are exposed. */
export function exposed<M extends { readonly key?: unknown }>(message: M): Exposed<M> {
  const { key: _, ...rest } = message;
  return (keysAreExposed ? message : rest) as Exposed<M>;
}

/** A message as it may be published. */
function factsOf(message: object): object {
  const facts: Record<string, unknown> = { ...exposed(message) };
  if ('error' in facts) facts['error'] = errorFacts(facts['error']);
  if ('key' in facts) facts['key'] = keyFact(facts['key']);
  return facts;
}

/** A key that `JSON.stringify` can print. */
function keyFact(key: unknown): unknown {
  if (Array.isArray(key)) return key.map(keyFact);
  return typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean' ? key : typeof key;
}

/** The same for each member of a union. */
export type Exposed<M> = M extends unknown ? Omit<M, 'key'> & { readonly key?: unknown } : never;
