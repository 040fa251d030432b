/** `node --expose-gc loaded.process.js package...`: imports the packages, and sends how long that took and the heap that they keep. */
const packages = process.argv.slice(2);
const heapBefore = heapInUse();
const startedMs = performance.now();
await Promise.all(packages.map((name) => import(name)));
const cost = performance.now() - startedMs;
const heap = heapInUse() - heapBefore;
process.send!({ cost, counts: { 'heap, kB': Math.round(heap / 1_000) } }, () => process.exit());

function heapInUse(): number {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}
