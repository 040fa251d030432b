import type { Verdict } from './portable.js';

/** The folder in which the package is installed as a user would, with the test programs beside it. */
export interface Consumer {
  readonly directory: string;
  /** The installed package. */
  readonly latchkey: string;
}

/** A runtime, a compiler or a bundler: one row of the table. */
export interface Subject {
  readonly name: string;
  /** Rejects when the subject could not be fetched, or printed no verdict. */
  attempt(consumer: Consumer): Promise<Attempt>;
}

export interface Attempt {
  readonly version: string;
  readonly verdicts: readonly Verdict[];
  /** Without the time of downloads. */
  readonly ms: number;
}
