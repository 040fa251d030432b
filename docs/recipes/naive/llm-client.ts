import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Prompt } from '../llm-client.js';

/** "A 429 is tried again after a second." For each prompt by itself, and four times at the most. */
export async function ask(
  prompt: Prompt,
  post: (prompt: Prompt, signal?: AbortSignal) => Promise<Response>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const response = await post(prompt);
    if (response.ok) return (await response.json()) as Answer;
    await response.body?.cancel();
    if (attempt === 4) throw new Error(`status ${response.status}`);
    await sleep(1_000);
  }
}
