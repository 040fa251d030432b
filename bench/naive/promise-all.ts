// Where: everywhere. `await Promise.all(items.map(worker))`.
// Cost: everything starts at once; the first error is the only one anybody sees, and the rest runs on unobserved.
export function promiseAll<T, R>(items: readonly T[], worker: (item: T) => Promise<R>): Promise<R[]> {
  return Promise.all(items.map((item) => worker(item)));
}
