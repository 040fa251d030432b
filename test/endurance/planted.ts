/** Leaks on purpose, one of each kind: the run must find them. */
import type { Callers } from './callers.js';
import type { Kind } from './kind.js';

const kept: object[] = [];

function leaking(name: string, call: (callers: Callers) => unknown): Kind {
  return { name, make: (callers) => ({ call: async () => call(callers), left: () => ({}) }) };
}

export const planted: readonly Kind[] = [
  leaking('an object', () => kept.push(new Array(20))),
  leaking('a listener on its own signal', (callers) => callers.signal().addEventListener('abort', () => {})),
  leaking('a timer in the background', () => setTimeout(() => {}, 60_000).unref()),
];
