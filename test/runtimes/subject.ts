import type { Verdict } from './portable.js';

/** Where the package stands as a user has installed it, with the programs that try it beside it. */
export interface Consumer {
  readonly directory: string;
  /** The installed package. */
  readonly latchkey: string;
}

/** A runtime, a compiler or a bundler: one row of the table. */
export interface Subject {
  readonly name: string;
  /** Rejects when the thing itself could not be had, or told nothing. */
  attempt(consumer: Consumer): Promise<Attempt>;
}

export interface Attempt {
  readonly version: string;
  readonly verdicts: readonly Verdict[];
  /** Without what it took to fetch anything. */
  readonly ms: number;
}
