import { importInvoices } from '../../../docs/recipes/naive/off-thread.js';
import { OffThread } from '../../../docs/recipes/off-thread.js';
import { longestBlockMs, type RecipeCost } from './recipe.js';

const worker = new URL('../../../../../docs/recipes/off-thread-worker.js', import.meta.url);
type Summarize = (csv: string) => Map<string, number>;

export const offThread: RecipeCost = {
  name: 'off-thread',
  async measure() {
    const { default: summarize } = (await import(worker.href)) as { default: Summarize };
    const csv = Array.from({ length: 1_500_000 }, (_, i) => `customer ${i % 997};${i}`).join('\n');
    await using summaries = new OffThread<string, Map<string, number>>(worker);
    await summaries.run('');
    const naive = await longestBlockMs(async () => importInvoices(csv, summarize));
    const recipe = await longestBlockMs(() => summaries.run(csv));
    const megabytes = Math.round(csv.length / 2 ** 20);
    return [
      { what: `time without serving another request, import of ${megabytes} MB`, unit: 'ms', naive, recipe },
    ];
  },
};
