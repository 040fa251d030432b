// Where: import scripts and workers. "Five at a time", in chunks, chosen once and never looked at again.
// Cost: each chunk waits for its slowest item, and five is five for 10 items or 10,000, on a fast backend or a slow one.
const concurrency = 5;

export async function fixedConcurrency<T, R>(
  items: readonly T[],
  worker: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += concurrency) {
    const chunk = items.slice(start, start + concurrency);
    results.push(...(await Promise.all(chunk.map(worker))));
  }
  return results;
}
