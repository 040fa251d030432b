import type { Callers } from './callers.js';

export interface Subject {
  /** One call of one caller; settles when all its work has ended, and never rejects. */
  call(): Promise<unknown>;
  /** Ends the remaining work of an idle subject. */
  end?(): Promise<unknown>;
  /** Counts that must be 0 when no caller is left and `end` has settled. */
  left(): Record<string, number>;
}

export interface Kind {
  readonly name: string;
  make(callers: Callers): Subject;
}
