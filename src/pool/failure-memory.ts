/**
 * The failures of servers whose keys are forgotten: a key without slot and waiter takes no other memory. Entries expire
 * when the memory is next used, so that no timer is needed. There are at most 1,000.
 */
import { now } from '../runtime/clock.js';

export const longestBackoffMs = 5_000;
const mostEntries = 1_000;

export interface Failures {
  readonly failures: number;
  readonly lastError: unknown;
  readonly backoffMs: number;
  readonly retryAtMs: number;
  readonly triedMs: number;
}

export class FailureMemory {
  /** The oldest entry first. */
  readonly #entries = new Map<unknown, Failures>();

  keep(id: unknown, failures: Failures): void {
    this.#entries.delete(id);
    this.#entries.set(id, failures);
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= mostEntries && !isOver(entry)) return;
      this.#entries.delete(oldest);
    }
  }

  /** Gives back what was kept for the key, and forgets it. */
  take(id: unknown): Failures | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    return isOver(entry) ? undefined : entry;
  }

  forget(id: unknown): void {
    this.#entries.delete(id);
  }

  clear(): void {
    this.#entries.clear();
  }
}

function isOver({ retryAtMs }: Failures): boolean {
  return now() >= retryAtMs + longestBackoffMs;
}
