/**
 * "The nightly copy of the event log was killed for memory, although it streams."
 *
 * It read faster than it wrote. Between the two stands a queue with a bound: the reader waits for room in it, and the file is
 * read as fast as the database takes it. Rows count until they are written, so that the bound is of all that is in memory.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import { BoundedQueue } from 'latchkey/bounded-queue';

export type Row = Readonly<Record<string, unknown>>;
export type Load = (rows: readonly Row[]) => Promise<void>;

export interface CopyOptions {
  /** Rows in memory at a time, those that are being written included. */
  capacity?: number;
  /** Writers at a time, and how many rows each takes at the most. */
  writers?: number;
  batchSize?: number;
}

/** Copies lines of JSON. Rejects with the first error of either side; nothing of it runs any more then. */
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

/** Not with `readline`, which takes a disk that fails for the end of the file. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of input.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== '') yield rest;
}
