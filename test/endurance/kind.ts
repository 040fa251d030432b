import type { Callers } from './callers.js';

export interface Subject {
  /** One call of one caller; settles when nothing of it is left running, and never rejects. */
  call(): Promise<unknown>;
  /** Ends what an idle subject may have left to do. */
  end?(): Promise<unknown>;
  /** What must be 0 when nobody calls and `end` has settled. */
  left(): Record<string, number>;
}

export interface Kind {
  readonly name: string;
  make(callers: Callers): Subject;
}
