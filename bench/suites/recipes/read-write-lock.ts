import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadWriteFlag } from '../../../docs/recipes/naive/read-write-lock.js';
import { ReadWriteLock } from '../../../docs/recipes/read-write-lock.js';
import type { RecipeCost } from './recipe.js';

const readers = 20;
const readsEach = 250;

interface Lock {
  read<T>(task: () => Promise<T>): Promise<T>;
  write<T>(task: () => Promise<T>): Promise<T>;
}

export const readWriteLock: RecipeCost = {
  name: 'read-write-lock',
  async measure() {
    const naive = await tornReads(new ReadWriteFlag());
    const recipe = await tornReads(new ReadWriteLock());
    const reads = (readers * readsEach).toLocaleString('en-US');
    return [{ what: `reads that saw half of a reload, of ${reads}`, naive, recipe }];
  },
};

/** Rules in two files, rewritten every 10 ms, while they are read. */
async function tornReads(lock: Lock): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-rules-'));
  const files = ['prices', 'discounts'].map((name) => path.join(folder, name));
  let [version, torn, isOver] = [0, 0, false];
  const reload = () =>
    lock.write(async () => {
      version++;
      for (const file of files) await writeFile(file, String(version));
    });
  const read = () =>
    lock.read(async () => {
      const seen = [];
      for (const file of files) seen.push(await readFile(file, 'utf8'));
      if (seen[0] !== seen[1]) torn++;
    });
  try {
    await reload();
    const writer = (async () => {
      for (; !isOver; await sleep(10)) await reload();
    })();
    await Promise.all(
      Array.from({ length: readers }, async () => {
        for (let i = 0; i < readsEach; i++) await read();
      }),
    );
    isOver = true;
    await writer;
    return torn;
  } finally {
    await rm(folder, { recursive: true });
  }
}
