/** What is measured: subjects, what a sample of one is, and what the figures ought to be. */

/**
 * The floor is the same work without what is measured, or the physical bound; a part is something above it that cannot be
 * left out either; naive is how people write it.
 */
export type Role = 'floor' | 'part' | 'naive' | 'latchkey' | 'peer';

/** Shown beside the time, a column per name. */
export type Counts = Readonly<Record<string, number | string>>;

export interface Sample {
  /** Of one operation or of the whole scenario, in the unit of its table. */
  readonly cost: number;
  readonly counts?: Counts;
  /** Where the table has sizes: the cost of one operation at each, up to the last that was not too slow. */
  readonly perSize?: readonly number[];
}

export interface Subject {
  readonly name: string;
  readonly role: Role;
  readonly targets?: readonly Target[];
  sample(): Promise<Sample>;
}

export interface Target {
  readonly label: string;
  /** Whether the figure of the subject that carries the target is good enough. */
  check(figures: Figures, subject: string): { readonly figure: string; readonly ok: boolean };
}

/** The medians of a case, by a subject's name, or by 'floor' and 'naive' for the first of that role. */
export interface Figures {
  cost(subject: string): number;
  /** Median over the rounds of the ratio inside a round. */
  ratio(subject: string, other: string): number;
  count(subject: string, name: string): number;
  /** Where the table has sizes: the power of the size that the time of all operations follows. */
  exponent(subject: string): number;
}

export interface TableHead {
  readonly title: string;
  /** One sentence: what a reader learns here. */
  readonly shows: string;
  /** What is measured: milliseconds (the default) or bytes. */
  readonly unit?: 'ms' | 'bytes';
  /** What the time is of. Default 'time'. */
  readonly time?: string;
  /** The counts are the point: what is wrong may well be faster, and a ratio would praise it. */
  readonly countsOnly?: boolean;
  /** How it grows is the point: how many operations at once, ascending. */
  readonly sizes?: readonly number[];
}

/** A table: the same thing done by several subjects. */
export interface Case extends TableHead {
  readonly subjects: readonly Subject[];
  /** So many at once that a sample may meet the garbage collector: measured again where that has nothing to do. */
  readonly isCrowd?: boolean;
  readonly rounds?: number;
  readonly warmups?: number;
  /** A subject that has taken this long is left out of the rounds that remain. Default 1_500. */
  readonly budgetMs?: number;
}

export type Measure = (table: Case) => Promise<void>;

export interface Suite {
  readonly name: string;
  /** Runs only when asked for by name. */
  readonly onDemand?: boolean;
  /** Given to node for this suite. */
  readonly nodeFlags?: readonly string[];
  /** Is part of the report and of the check, on demand or not. */
  readonly reported?: boolean;
  /** Its tables are of another kind: nothing of it goes into the results. */
  readonly printsItself?: boolean;
  /** `flags`: what was given as `--name=value`. */
  run(measure: Measure, flags: Readonly<Record<string, string>>): Promise<void>;
}
