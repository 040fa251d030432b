/**
 * The callers of a row. Each subject is called in the same way: by an async function that awaits what it calls, as the code of
 * a service does. A package without `run` gets no async function of its own around its two calls: its caller makes both.
 *
 * The callers of a subject are compiled for it alone. In code shared by all, a call would see every subject and inline none.
 */
export type Task<T> = () => Promise<T>;

/** A package that runs the task. `K` is what a call names before the task: a key, or nothing. */
export type Runs<K extends unknown[] = []> = (...call: [...K, task: Task<unknown>]) => PromiseLike<unknown>;

/** A package that is called before the task and after it. */
export interface Takes<K extends unknown[] = [], H = unknown> {
  take(...named: K): PromiseLike<H>;
  giveBack(held: H, ...named: K): void;
}

/** How callers use a package. */
export type Use<K extends unknown[] = []> = Runs<K> | Takes<K>;

/** Resolves when `count` calls have been served. */
export type Callers<U = Use> = (use: U, count: number, task: Task<unknown>) => Promise<void>;

/** As many callers as calls, which come in one turn. With `keys`, they name the keys from 0 to `keys - 1` in turn. */
export function crowdOf(use: Use): Callers;
export function crowdOf(use: Use<[number]>, keys: number): Callers<Use<[number]>>;
export function crowdOf(use: object, keys?: number): Callers<never> {
  return compiled(`
    const caller = async (key) => { ${statements(use, keys)} };
    const callers = [];
    for (let i = 0; i < count; i++) callers.push(caller(turn++ % ${keys}));
    await Promise.all(callers);`);
}

/** One caller that comes back for each call. */
export function regularOf(use: Use): Callers;
export function regularOf(use: Use<[number]>, keys: number): Callers<Use<[number]>>;
export function regularOf(use: object, keys?: number): Callers<never> {
  return compiled(`
    for (let i = 0; i < count; i++) { const key = turn++ % ${keys}; ${statements(use, keys)} }`);
}

/** What a caller does. */
function statements(use: object, keys: number | undefined): string {
  const key = keys === undefined ? '' : 'key, ';
  if (typeof use === 'function') return `await use(${key}task);`;
  return `const held = await use.take(${key}); try { await task(); } finally { use.giveBack(held, ${key}); }`;
}

function compiled(body: string): Callers<never> {
  return new Function(`// ${compilations++}
let turn = 0;
return async (use, count, task) => { ${body} };`)();
}

/** V8 keeps one compilation of equal sources. */
let compilations = 0;
