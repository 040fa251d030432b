import type { PostgresClient, PostgresPool, PostgresResult } from 'latchkey/postgres';

/** Answers a statement: with rows, or a command; throws what the server would report; a promise of its own never settles. */
export type Script = (
  text: string,
  values?: unknown[],
) => Partial<PostgresResult> | Promise<never> | undefined;

/** A pool without a server: every statement is answered by a script, and written down. */
export class ScriptedPool implements PostgresPool {
  readonly statements: string[] = [];
  /** For each connection that came back: whether it was to be closed. */
  readonly released: boolean[] = [];
  /** Connections that came back and still had a listener for errors. */
  readonly listeners = new Set<(error: Error) => void>();
  readonly #script: Script;

  constructor(script: Script) {
    this.#script = script;
  }

  query(text: string, values?: unknown[]): Promise<PostgresResult> {
    return this.#answer(text, values);
  }

  async connect(): Promise<PostgresClient> {
    return {
      query: (text, values) => this.#answer(text, values),
      on: (_event, listener) => this.listeners.add(listener),
      off: (_event, listener) => this.listeners.delete(listener),
      release: (destroy = false) => void this.released.push(destroy),
    };
  }

  /** The connection breaks. */
  breakOff(error: Error): void {
    for (const listener of [...this.listeners]) listener(error);
  }

  async #answer(text: string, values?: unknown[]): Promise<PostgresResult> {
    this.statements.push(text);
    const answer = await this.#script(text, values);
    return { rows: [], rowCount: 0, command: text.split(' ')[0]!.toUpperCase(), ...answer };
  }
}

/** An error as a driver reports it. */
export const serverError = (code: string, message = code) => Object.assign(new Error(message), { code });
