/**
 * "The nightly copy of the event log runs out of memory, although it streams."
 *
 * The naive copy reads faster than it writes. Here a bounded queue stands between the reader and the writers. When it is full,
 * the reader waits, so the file is read only as fast as the database writes. A row counts until it is written, so the capacity
 * bounds all rows in memory.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import { BoundedQueue } from 'latchkey/bounded-queue';

export type Row = Readonly<Record<string, unknown>>;
export type Load = (rows: readonly Row[]) => Promise<void>;

export interface CopyOptions {
  /** The most rows in memory, including rows that are being written. */
  capacity?: number;
  /** How many writers run at once, and how many rows each takes at most. */
  writers?: number;
  batchSize?: number;
}

/** Copies lines of JSON. Rejects with the first error of the reader or a writer, after all of them have stopped. */
export async function copy(input: Readable, load: Load, options: CopyOptions = {}): Promise<void> {
  const { capacity = 2_000, writers = 4, batchSize = 500 } = options;
  const queue = new BoundedQueue<Row>({ capacity });

  async function read(signal: AbortSignal): Promise<void> {
    for await (const line of linesOf(addAbortSignal(signal, input))) {
      await queue.offer(JSON.parse(line) as Row, { signal });
    }
    queue.close();
  }
  async function write(signal: AbortSignal): Promise<void> {
    for (;;) {
      using batch = await queue.take(batchSize, { signal });
      if (batch.items.length === 0) return;
      await load(batch.items);
    }
  }

  const stop = new AbortController();
  const sides = [read, ...Array.from({ length: writers }, () => write)].map(async (side) => {
    try {
      await side(stop.signal);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  try {
    await Promise.all(sides);
  } finally {
    await Promise.allSettled(sides);
  }
}

/** Splits lines without `readline`, which reports a failing disk as the end of the file. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of input.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== '') yield rest;
}
