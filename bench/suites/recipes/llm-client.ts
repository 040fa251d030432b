import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, llmClient, type Prompt } from '../../../docs/recipes/llm-client.js';
import { ask as askNaively } from '../../../docs/recipes/naive/llm-client.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const prompts: Prompt[] = Array.from({ length: 200 }, () => ({ text: 'x'.repeat(300), maxTokens: 400 }));
/** A minute would be long for a bench. */
const quota = { tokensPerWindow: 10_000, windowMs: 2_000 };
const used = 200;

export const llmClientCost: RecipeCost = {
  name: 'llm-client',
  async measure() {
    const naive = await asked((post) => (prompt) => askNaively(prompt, post));
    const recipe = await asked((post) => llmClient(post, quota));
    return [
      { what: `prompts answered, of ${prompts.length}`, naive: naive.answered, recipe: recipe.answered },
      { what: 'requests that the model refused', naive: naive.refused, recipe: recipe.refused },
      { what: 'until the last prompt ended', unit: 'ms', naive: naive.tookMs, recipe: recipe.tookMs },
    ];
  },
};

type Post = () => Promise<Response>;
type Ask = (prompt: Prompt) => Promise<Answer>;

/** Answers take 100 ms. A request beyond the quota of the last two seconds is refused. */
async function asked(way: (post: Post) => Ask) {
  const taken: number[] = [];
  let refused = 0;
  const ask = way(async () => {
    const nowMs = performance.now();
    while (taken.length > 0 && taken[0]! <= nowMs - quota.windowMs) taken.shift();
    if ((taken.length + 1) * used > quota.tokensPerWindow) {
      refused++;
      return new Response('slow down', { status: 429, headers: { 'retry-after': '1' } });
    }
    taken.push(nowMs);
    await sleep(100);
    return Response.json({ text: 'yes', usage: { total_tokens: used } });
  });
  let answered = 0;
  const tookMs = await elapsedMs(async () => {
    const all = await Promise.allSettled(prompts.map((prompt) => ask(prompt)));
    answered = all.filter(({ status }) => status === 'fulfilled').length;
  });
  return { answered, refused, tookMs };
}
