/**
 * "The import of a million products needs 4 GB, takes all night, and when a row is wrong nobody knows which one."
 *
 * Rows go in batches, several batches at a time, pulled from the source only when there is room for them: memory holds
 * `batchSize * concurrency` rows, however many there are. A batch that is refused is halved until the rows at fault are found.
 */
import { Presets, SingleBar } from 'cli-progress';
import { gatherSettled } from 'latchkey';

/** How much to have in memory, and how much to ask of the database at a time; never more than its pool has connections. */
export const profiles = {
  lowMemory: { batchSize: 50, concurrency: 1 },
  balanced: { batchSize: 200, concurrency: 4 },
  fast: { batchSize: 1_000, concurrency: 8 },
} as const;

export interface ImportOptions<T> {
  save(batch: readonly T[]): Promise<void>;
  /** Whether the error is about a row. Of all others the import ends: half a server down is no reason to halve batches. */
  isRowError(error: unknown): boolean;
  profile?: (typeof profiles)[keyof typeof profiles];
  /** For the bar; without it there is none. */
  total?: number;
  signal?: AbortSignal;
}

/** Resolves with the rows that were refused, and why; rejects with the first error that is not about a row. */
export async function importAll<T>(rows: Iterable<T> | AsyncIterable<T>, options: ImportOptions<T>) {
  const { save, isRowError, profile = profiles.balanced, total, signal } = options;
  const bar = total === undefined ? undefined : new SingleBar({}, Presets.shades_classic);
  const refused: { row: T; error: unknown }[] = [];

  async function saveOrHalve(batch: readonly T[]): Promise<void> {
    try {
      await save(batch);
    } catch (error) {
      if (!isRowError(error)) throw error;
      if (batch.length === 1) refused.push({ row: batch[0] as T, error });
      else {
        const half = batch.length >> 1;
        await saveOrHalve(batch.slice(0, half));
        await saveOrHalve(batch.slice(half));
      }
    }
  }

  bar?.start(total as number, 0);
  try {
    const gathered = await gatherSettled(
      batchesOf(rows, profile.batchSize),
      async (batch) => {
        await saveOrHalve(batch);
        bar?.increment(batch.length);
      },
      { concurrency: profile.concurrency, signal, stopWhen: ({ failed }) => failed > 0 },
    );
    if (gathered.failed > 0) throw gathered.errors[0]?.error;
  } finally {
    bar?.stop();
  }
  return refused;
}

async function* batchesOf<T>(rows: Iterable<T> | AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
