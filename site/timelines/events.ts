/** Lanes and lines recorded from what the library publishes: `latchkey/diagnostics`. */
import { channelNames, type LimitMessage, type PoolEventMessage } from 'latchkey/diagnostics';
import { builtIn } from './browser-parts.js';
import type { Outcome, Recorder } from './lanes.js';

interface Diagnostics {
  channel(name: string): { subscribe(listener: (message: unknown) => void): void };
}

interface Caller {
  readonly recorder: Recorder;
  readonly lane: string;
}

/** Whose call of the library runs now. A wait begins inside of it. */
let calling: Caller | undefined;
/** Whose wait a message tells about. */
const callers = new WeakMap<object, Caller>();

function onBegin(message: unknown): void {
  if (calling === undefined) return;
  callers.set(message as object, calling);
  calling.recorder.enter(calling.lane, 'waiting');
}

function onEnd(message: unknown): void {
  const caller = callers.get(message as object);
  if (caller === undefined || (message as { error?: unknown }).error !== undefined) return;
  caller.recorder.enter(caller.lane, 'using');
}

/**
 * A call of the library: its lane waits from the event that begins a wait to the one that ends it, and is used until the call
 * ends. A caller that is served at once has no wait.
 */
export async function followed<T>(
  caller: Caller,
  call: () => Promise<T>,
  outcomeOf: (error: unknown) => Outcome = () => 'failed',
): Promise<T | undefined> {
  const { recorder, lane } = caller;
  const result = began(caller, call);
  if (!recorder.has(lane)) recorder.enter(lane, 'using');
  try {
    const value = await result;
    recorder.end(lane, 'served');
    return value;
  } catch (error) {
    recorder.end(lane, outcomeOf(error));
    return undefined;
  }
}

/** Begins a call of the library on behalf of a lane. */
export function began<T>(caller: Caller, call: () => T): T {
  listen();
  const before = calling;
  calling = caller;
  try {
    return call();
  } finally {
    calling = before;
  }
}

const recorders = new WeakMap<object, (message: unknown) => void>();

/** Draws the connections of a pool, from its events. */
export function drawConnections(recorder: Recorder, pool: object): void {
  listen();
  recorder.step('connections', 0);
  recorders.set(pool, (message) => {
    const { type } = message as PoolEventMessage;
    if (type === 'connect') recorder.step('connections', recorder.value('connections') + 1);
    if (type === 'close') recorder.step('connections', recorder.value('connections') - 1);
  });
}

/** Draws the limit of an adaptive semaphore, from its events. */
export function drawLimit(recorder: Recorder, semaphore: { readonly limit: number }): void {
  listen();
  recorder.step('limit', semaphore.limit);
  recorders.set(semaphore, (message) => recorder.step('limit', (message as LimitMessage).to));
}

const onMessage = (message: unknown) => recorders.get((message as { source: object }).source)?.(message);

let listens = false;

/** Not before the first timeline: a listener costs every wait of the program. */
function listen(): void {
  if (listens) return;
  listens = true;
  const { channel } = builtIn<Diagnostics>('node:diagnostics_channel');
  for (const name of [channelNames.wait, channelNames.poolAcquire]) {
    channel(`tracing:${name}:start`).subscribe(onBegin);
    channel(`tracing:${name}:asyncEnd`).subscribe(onEnd);
  }
  channel(channelNames.poolEvent).subscribe(onMessage);
  channel(channelNames.limit).subscribe(onMessage);
}
