import type { Span } from '../telemetry-queue.js';

/** The bound was added after the process had been killed for memory; a warning per span would have been worse. */
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
