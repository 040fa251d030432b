// Where: every "read, change, write back" with an await in between, and every "create it unless it exists".
// Cost: a caller that reads before the other has written overwrites it: of 100 increments, 99 are lost.
export interface CounterStore {
  read(key: string): Promise<number>;
  write(key: string, value: number): Promise<void>;
}

export async function increment(store: CounterStore, key: string): Promise<void> {
  const value = await store.read(key);
  await store.write(key, value + 1);
}
