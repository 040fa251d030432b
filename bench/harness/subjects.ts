/** The types of a bench: subjects, samples, and targets for the figures. */

/**
 * The floor is the same work without the measured object, or the physical bound. A part is a cost above the floor that cannot be
 * avoided either. Naive is the code that people usually write.
 */
export type Role = 'floor' | 'part' | 'naive' | 'latchkey' | 'peer';

/** Shown beside the time, a column per name. */
export type Counts = Readonly<Record<string, number | string>>;

export interface Sample {
  /** Of one operation or of the whole scenario, in the unit of its table. */
  readonly cost: number;
  readonly counts?: Counts;
  /** If the table has sizes: the cost of one operation at each size, up to the last one that was not too slow. */
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
  /** If the table has sizes: the exponent with which the total time grows with the size. */
  exponent(subject: string): number;
}

export interface TableHead {
  readonly title: string;
  /** One sentence: what a reader learns here. */
  readonly shows: string;
  /** What is measured: milliseconds (the default) or bytes. */
  readonly unit?: 'ms' | 'bytes';
  /** The heading of the time column. Default 'time'. */
  readonly time?: string;
  /** Only the counts matter: a wrong subject may be faster, and a ratio would favour it. */
  readonly countsOnly?: boolean;
  /** For tables of growth: how many operations at once, ascending. */
  readonly sizes?: readonly number[];
}

/** A table: the same thing done by several subjects. */
export interface Case extends TableHead {
  readonly subjects: readonly Subject[];
  /** Crowds so large that a sample may meet the garbage collector. They are measured again with a large young generation. */
  readonly isCrowd?: boolean;
  readonly rounds?: number;
  readonly warmups?: number;
  /** A subject that has taken this long skips the remaining rounds. Default 1_500. */
  readonly budgetMs?: number;
}

export type Measure = (table: Case) => Promise<void>;

export interface Suite {
  readonly name: string;
  /** Runs only when asked for by name. */
  readonly onDemand?: boolean;
  /** Flags for node in this suite. */
  readonly nodeFlags?: readonly string[];
  /** Is part of the report and of the check, on demand or not. */
  readonly reported?: boolean;
  /** The suite prints its own tables, which are not part of the results. */
  readonly printsItself?: boolean;
  /** `flags`: the arguments of the form `--name=value`. */
  run(measure: Measure, flags: Readonly<Record<string, string>>): Promise<void>;
}
