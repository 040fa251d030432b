/**
 * UnrenewedLeases: leases of other owners that this process has seen, and since when they have not been renewed by its own
 * monotonic clock. For a lease table whose server's clock is not trusted to end a lease.
 */
import { now } from '../runtime/clock.js';

/** A row that another owner holds: its owner and end as one text, and how long it lasts by the server's clock. */
interface HeldRow {
  readonly stamp: string;
  readonly ms: string | number;
}

export class UnrenewedLeases {
  /** For each request, by its owner: when each lease that it has seen is over. */
  readonly #overAtMs = new Map<string, Map<string, number>>();

  /** Leases that the request has seen for long enough. */
  over(owner: string): string[] {
    const seen = this.#overAtMs.get(owner) ?? new Map<string, number>();
    return [...seen].filter(([, overAtMs]) => now() >= overAtMs).map(([stamp]) => stamp);
  }

  /**
   * Notes the rows of an answer, and resolves in how many milliseconds the first of them is over. A renewal changes the stamp, so
   * that the lease is timed from the start. Its holder may have a longer time to live than the one who looks.
   */
  saw(owner: string, rows: readonly HeldRow[], ttlMs: number): number {
    const before = this.#overAtMs.get(owner);
    const seenAtMs = now();
    const seen = new Map(
      rows.map(({ stamp, ms }) => [stamp, before?.get(stamp) ?? seenAtMs + Math.max(ttlMs, Number(ms))]),
    );
    this.#overAtMs.set(owner, seen);
    return Math.max(0, Math.min(...seen.values()) - seenAtMs);
  }

  forget(owner: string): void {
    this.#overAtMs.delete(owner);
  }
}
