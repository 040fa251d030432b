import { expect, test } from 'vitest';
import { Ring } from '../../src/queue/ring.js';
import { collected } from '../support/collected.js';

test('an item that has left is not kept alive, also while others are inside', async () => {
  const ring = new Ring<object>();
  const references = Array.from({ length: 8 }, () => {
    const item = {};
    ring.push(item);
    return new WeakRef(item);
  });
  for (let i = 0; i < 3; i++) ring.shift();
  await collected();
  expect(references.map((reference) => reference.deref() !== undefined)).toEqual([
    ...Array.from({ length: 3 }, () => false),
    ...Array.from({ length: 5 }, () => true),
  ]);
  expect(ring.size).toBe(5);
});

test('a queue through which a million items have passed takes no memory for them', async () => {
  const ring = new Ring<number>();
  for (let i = 0; i < 10; i++) ring.push(i);
  await collected();
  const before = process.memoryUsage().heapUsed;
  for (let i = 10; i < 1_000_010; i++) {
    ring.push(i);
    if (ring.shift() !== i - 10) expect.fail('out of order');
  }
  await collected();
  // A million places take 8 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
  expect(ring.size).toBe(10);
});
