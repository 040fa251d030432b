/**
 * "There are no traces of the outage. The exporter's buffer was full, and it dropped spans without a report."
 *
 * When the exporter falls behind, the queue drops spans evenly, and keeps spans of errors as long as there is room. It reports
 * the first drop at once, and further drops once a minute.
 */
import { BoundedQueue } from 'latchkey/bounded-queue';

export interface Span {
  readonly name: string;
  readonly failed: boolean;
}

export function exporter(send: (spans: readonly Span[]) => Promise<void>, warn: (message: string) => void) {
  const queue = new BoundedQueue<Span>({
    capacity: 2_000,
    policy: 'sample',
    onOverflow: ({ count }) => warn(`${count} spans dropped`),
  });
  const run = async () => {
    for (;;) {
      // Spans count until they are sent: a slow collector must not make room for more.
      using batch = await queue.take(500);
      if (batch.items.length === 0) return;
      await send(batch.items).catch((error) => warn(`${batch.items.length} spans lost: ${error}`));
    }
  };
  const ended = run();
  return {
    /** A span that comes after `close` is dropped. */
    record: (span: Span) => void queue.offer(span, { critical: span.failed }).catch(() => {}),
    /** Sends what is left. */
    close() {
      queue.close();
      return ended;
    },
  };
}
