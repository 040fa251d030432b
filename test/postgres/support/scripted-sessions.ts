/** A scripted PostgreSQL for session locks: it answers by what the statement does. */
import { vi } from 'vitest';
import { type Script, ScriptedPool } from './scripted-pool.js';

const realSetImmediate = setImmediate;

export const requestOf = (owner: string, more: object = {}) => ({
  key: 'key',
  owner,
  ttlMs: 1_000,
  signal: new AbortController().signal,
  lost: vi.fn(),
  ...more,
});

export const never = () => new Promise<never>(() => {});

/** Keys are hashed on another thread, so that fake timers and microtasks are not enough. */
export async function turnsUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => realSetImmediate(resolve));
}

/** Until the request has been sent. */
export function sent({ statements }: ScriptedPool, part: string): Promise<void> {
  return turnsUntil(() => statements.at(-1)?.includes(part) === true);
}

export const got = (isGot: boolean) =>
  [{}, { rows: [{ got: isGot, token: isGot ? '7' : null, idle_session_timeout: '5min' }] }, {}] as never;

type Step = (text: string) => never | Promise<never>;

/** What the statements of each kind answer. Default: that they did their work. */
export interface Steps {
  readonly take?: Step;
  readonly wait?: Step;
  readonly ping?: Step;
  readonly unlock?: Step;
}

const script =
  (steps: Steps): Script =>
  (text) => {
    if (text.includes('pg_try_advisory_lock')) return (steps.take ?? (() => got(true)))(text);
    if (text.includes('do $$')) return (steps.wait ?? (() => got(true)))(text);
    if (text.startsWith('select 1')) return steps.ping?.(text);
    if (text.includes('pg_advisory_unlock'))
      return steps.unlock ? steps.unlock(text) : ([{ rows: [{ freed: true }] }, {}] as never);
    return { rows: [{ pid: 1 }] };
  };

export function scriptedSessions(steps: Steps): ScriptedPool {
  const pool = new ScriptedPool(script(steps));
  const connect = pool.connect.bind(pool);
  // pg answers a text of several statements with an array.
  pool.connect = async () => {
    const client = await connect();
    return {
      ...client,
      query: async (text: string) => {
        pool.statements.push(text);
        return (await script(steps)(text)) as never;
      },
    };
  };
  return pool;
}
