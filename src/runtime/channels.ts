/**
 * What the package tells `node:diagnostics_channel`. Each primitive owns its channels, and makes a message only while somebody
 * listens: the question whether somebody does is all that it costs. Where the runtime has no channels, nobody listens.
 */
import { nodeModule } from './node-module.js';

export interface Channel<M extends object> {
  readonly hasSubscribers: boolean;
  publish(message: M): void;
}

/**
 * Follows a promise, and tells of its beginning and of its end with one and the same message. Ask `start` whether anybody
 * listens: the channel's own `hasSubscribers` asks all five of its parts, one after the other.
 */
export interface TracingChannel<M extends object> {
  readonly start: { readonly hasSubscribers: boolean };
  tracePromise<T>(begin: () => Promise<T>, message: M): Promise<T>;
}

interface Diagnostics {
  channel<M extends object>(name: string): Channel<M>;
  tracingChannel<M extends object>(name: string): TracingChannel<M>;
}

const diagnostics = nodeModule<Partial<Diagnostics>>('node:diagnostics_channel');
/** Whoever asks it is told that nobody listens, and nobody publishes without having asked. */
const unheard = { start: {} } as Channel<object> & TracingChannel<object>;

export function channel<M extends object>(name: string): Channel<M> {
  return diagnostics?.channel?.(name) ?? unheard;
}

export function tracingChannel<M extends object>(name: string): TracingChannel<M> {
  return diagnostics?.tracingChannel?.(name) ?? unheard;
}

let keysAreExposed = false;

/**
 * Whether messages carry keys; at first they do not. A key may be a person's, and one label per key is what breaks a metrics
 * server. Errors are handed on as they are, and some name their key.
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

/** A message as it may be published. */
export function exposed<M extends { readonly key?: unknown }>(message: M): Exposed<M> {
  const { key, ...rest } = message;
  return (keysAreExposed ? message : rest) as Exposed<M>;
}

/** Of a union, each. */
export type Exposed<M> = M extends unknown ? Omit<M, 'key'> & { readonly key?: unknown } : never;
