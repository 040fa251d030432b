/**
 * What the library uses where the platform has it, and browsers do not: `node:diagnostics_channel` and `AsyncLocalStorage`.
 * The page lends both to it, so that the timelines are recorded from the library's own events. It is imported before the library,
 * which looks for them when it is loaded. In Node the real ones are there.
 */

type Listener = (message: unknown, name: string) => void;

class Channel {
  readonly #name: string;
  readonly #listeners = new Set<Listener>();

  constructor(name: string) {
    this.#name = name;
  }

  get hasSubscribers(): boolean {
    return this.#listeners.size > 0;
  }

  subscribe(listener: Listener): void {
    this.#listeners.add(listener);
  }

  publish(message: unknown): void {
    for (const listener of this.#listeners) listener(message, this.#name);
  }
}

const channels = new Map<string, Channel>();

function channel(name: string): Channel {
  const known = channels.get(name);
  if (known !== undefined) return known;
  const made = new Channel(name);
  channels.set(name, made);
  return made;
}

const traced = (name: string, part: string) => channel(`tracing:${name}:${part}`);
const tracingChannel = (name: string) => ({
  start: traced(name, 'start'),
  end: traced(name, 'end'),
  asyncStart: traced(name, 'asyncStart'),
  asyncEnd: traced(name, 'asyncEnd'),
  error: traced(name, 'error'),
});

/** The store of the code that runs now, while one is followed. */
let current: unknown;

class PageStorage {
  run<T>(store: unknown, code: () => T): T {
    return inStore(store, code);
  }

  getStore(): unknown {
    return current;
  }
}

function inStore<T>(store: unknown, code: () => T): T {
  const before = current;
  current = store;
  try {
    return code();
  } finally {
    current = before;
  }
}

/**
 * Until the returned function is called, what is given to `then` runs in the store of the code that gave it. An `await` cannot
 * be followed so: the programs that need it are written with `then`.
 */
export function followThen(): () => void {
  if (!isLent) return () => {};
  const plain = Promise.prototype.then;
  const follow = (reaction: unknown) => {
    if (typeof reaction !== 'function') return reaction;
    const store = current;
    return (value: unknown) => inStore(store, () => reaction(value));
  };
  // biome-ignore lint/suspicious/noThenProperty: a browser has no other place where a promise can be followed
  Promise.prototype.then = function (this: Promise<unknown>, onValue: unknown, onReason: unknown) {
    return Reflect.apply(plain, this, [follow(onValue), follow(onReason)]);
  } as typeof plain;
  return () => {
    // biome-ignore lint/suspicious/noThenProperty: as it was
    Promise.prototype.then = plain;
  };
}

const parts: Readonly<Record<string, object>> = {
  'node:diagnostics_channel': { channel, tracingChannel },
  'node:async_hooks': { AsyncLocalStorage: PageStorage },
};

interface Platform {
  process?: { getBuiltinModule?(id: string): object | undefined };
}

const platform = globalThis as Platform;
const isLent = platform.process === undefined;

/** A module of Node, or what stands in for it. */
export function builtIn<T>(id: string): T {
  return (isLent ? parts[id] : platform.process?.getBuiltinModule?.(id)) as T;
}

if (isLent) platform.process = { getBuiltinModule: (id) => parts[id] };

/** The library has been loaded: other code of the page shall not take this for Node. */
export function takeBack(): void {
  if (isLent) delete platform.process;
}
