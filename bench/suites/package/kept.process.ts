/** `node --expose-gc kept.process.js kind name`: makes the objects, and sends how many bytes each of them takes. */
import { setImmediate as immediate } from 'node:timers/promises';
import { kept } from './kept.js';

const count = 100_000;
const warmups = 1_000;

const [kind = '', name = ''] = process.argv.slice(2);
const setup = (kept as Record<string, Record<string, () => (i: number) => unknown>>)[kind]?.[name];
if (setup === undefined) throw new RangeError(`nothing is called ${kind} ${name}`);
const { gc } = globalThis;
if (gc === undefined) throw new Error('node was started without --expose-gc');

// Compiles what is about to be used: the first objects would pay for it.
await fill(new Array(warmups), setup());

const objects: unknown[] = new Array(count);
const make = setup();
const before = await bytesInUse();
await fill(objects, make);
const after = await bytesInUse();

/** Reads the array, so that it is alive until here. */
const alive = objects.length === count ? make : undefined;
process.send!(alive && (after - before) / count, () => process.exit());

async function fill(array: unknown[], makeNext: (i: number) => unknown): Promise<void> {
  for (let i = 0; i < array.length; i++) array[i] = makeNext(i);
  await immediate();
}

/** Twice, for what only the first collection lets go. */
async function bytesInUse(): Promise<number> {
  for (let times = 0; times < 2; times++) {
    await immediate();
    gc!();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
