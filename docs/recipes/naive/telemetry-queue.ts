import type { Span } from '../telemetry-queue.js';

/** The bound was added after the process had run out of memory. It does not warn, because one line per span is too much. */
export function exporter(send: (spans: readonly Span[]) => Promise<void>) {
  const buffer: Span[] = [];
  let isSending = false;
  async function flush() {
    if (isSending) return;
    isSending = true;
    while (buffer.length > 0) await send(buffer.splice(0, 500)).catch(() => {});
    isSending = false;
  }
  return {
    record(span: Span) {
      if (buffer.length < 2_000) buffer.push(span);
      void flush();
    },
  };
}
