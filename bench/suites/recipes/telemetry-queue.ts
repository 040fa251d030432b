import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { exporter as naiveExporter } from '../../../docs/recipes/naive/telemetry-queue.js';
import { exporter, type Span } from '../../../docs/recipes/telemetry-queue.js';
import type { RecipeCost } from './recipe.js';

const size = 40_000;
const failed = size / 100;

type Send = (spans: readonly Span[]) => Promise<void>;
interface Exporter {
  record(span: Span): void;
  close?(): Promise<void>;
}

export const telemetryQueue: RecipeCost = {
  name: 'telemetry-queue',
  async measure() {
    const naive = await outage((send) => naiveExporter(send));
    const recipe = await outage(exporter);
    const spans = size.toLocaleString('en-US');
    return [
      { what: `spans dropped, of ${spans} in two seconds`, naive: naive.dropped, recipe: recipe.dropped },
      { what: 'of these, reported', naive: naive.told, recipe: recipe.told },
      {
        what: `spans of failures that arrived, of ${failed}`,
        naive: naive.failures,
        recipe: recipe.failures,
      },
    ];
  },
};

/** 20,000 spans a second for a collector that accepts a quarter of them. */
async function outage(make: (send: Send, warn: (message: string) => void) => Exporter) {
  const arrived: Span[] = [];
  const collector = createServer(async (request, response) => {
    arrived.push(...(JSON.parse(await text(request)) as Span[]));
    setTimeout(() => response.end(), 100);
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`;
  let told = 0;
  const spans = make(
    async (batch) => {
      const response = await fetch(url, { method: 'POST', body: JSON.stringify(batch) });
      await response.text();
    },
    (message) => {
      told += Number(/^(\d+) spans dropped/.exec(message)?.[1] ?? 0);
    },
  );
  const startedMs = performance.now();
  for (let recorded = 0; recorded < size; await sleep(5)) {
    const due = Math.min(size, (performance.now() - startedMs) * 20);
    while (recorded < due) spans.record({ name: 'checkout', failed: recorded++ % 100 === 99 });
  }
  await spans.close?.();
  for (let before = -1; before !== arrived.length; await sleep(500)) before = arrived.length;
  collector.closeAllConnections();
  collector.close();
  const failures = arrived.filter((span) => span.failed).length;
  return { dropped: size - arrived.length, told, failures };
}
