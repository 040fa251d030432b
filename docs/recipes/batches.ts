/**
 * "The import of a million products needs 4 GB and takes all night. When a row is wrong, it does not say which one."
 *
 * Rows are saved in batches, several batches at a time. Rows are pulled from the source only when there is room for them, so
 * memory holds at most `batchSize * concurrency` rows. A refused batch is halved until the bad rows are found.
 */
import { Presets, SingleBar } from 'cli-progress';
import { gatherSettled } from 'latchkey';

/** How many rows per batch, and how many batches at once. `concurrency` must not exceed the connections of the pool. */
export const profiles = {
  lowMemory: { batchSize: 50, concurrency: 1 },
  balanced: { batchSize: 200, concurrency: 4 },
  fast: { batchSize: 1_000, concurrency: 8 },
} as const;

export interface ImportOptions<T> {
  save(batch: readonly T[]): Promise<void>;
  /** Whether a row caused the error. Every other error ends the import, because halving a batch cannot help then. */
  isRowError(error: unknown): boolean;
  profile?: (typeof profiles)[keyof typeof profiles];
  /** The number of rows, for the progress bar. Without it there is no bar. */
  total?: number;
  signal?: AbortSignal;
}

/** Resolves with the refused rows and their errors. Rejects with the first error that no row caused. */
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
