/**
 * npm run test:endurance -- [seconds=120] [operations=1000000] [part of a kind's name]
 *
 * First the operations of every kind, then the pool on a PostgreSQL for the seconds. 0 leaves a part out.
 */
import { endure } from './endure.js';
import { kinds } from './kinds.js';
import { soak } from './soak.js';

/** The heap's own noise in bytes per operation, code that is compiled later included; a driver and its sockets have more. */
const noiseBytes = 400_000;
const noiseBytesOfDriver = 2_000_000;
/** How many bytes may be left per operation; an object that is kept has a hundred times as much. */
const mostBytes = 0.5;
const grows = (bytesEach: number, count: number, noise: number) => bytesEach > mostBytes + noise / count;

const [seconds = '120', operations = '1000000', part = ''] = process.argv.slice(2);
const seed = (Math.random() * 2 ** 32) >>> 0;
console.log(`Node ${process.version}, seed ${seed}`);

if (Number(operations) > 0) {
  console.log(
    `\n${'operations'.padStart(10)} ${'s'.padStart(6)} ${'bytes/op'.padStart(9)} ${'heap MB'.padStart(8)}  kind`,
  );
  for (const kind of kinds.filter(({ name }) => name.includes(part))) {
    const endured = await endure(kind, { operations: Number(operations), seed });
    const { bytesPerOperation, heapBytes, left } = endured;
    const row = [
      String(endured.operations).padStart(10),
      endured.seconds.toFixed(1).padStart(6),
      bytesPerOperation.toFixed(2).padStart(9),
      (heapBytes / 1e6).toFixed(1).padStart(8),
    ];
    const found = leftovers(left);
    if (grows(bytesPerOperation, endured.operations, noiseBytes)) found.push('the heap grows');
    verdict(`${row.join(' ')}  ${endured.name}`, found);
  }
}

if (Number(seconds) > 0) {
  const soaked = await soak(Number(seconds), seed);
  const { served, kills, mostSessions, longestMs, connected, bytesPerCall } = soaked;
  const failures = Object.entries(soaked.failures).map(([code, count]) => `${code} ${count}`);
  const found = leftovers({ ...soaked.left, wrong: soaked.wrong });
  if (mostSessions > soaked.max) found.push(`${mostSessions} sessions, ${soaked.max} allowed`);
  if (grows(bytesPerCall, served, noiseBytesOfDriver)) found.push('the heap grows');
  verdict(
    `\nConnectionPool on PostgreSQL, ${soaked.seconds.toFixed(0)} s: ${served} calls served, ${kills} sessions killed, ` +
      `${connected} connections made, at most ${mostSessions} of ${soaked.max} at a time, longest call ` +
      `${longestMs.toFixed(0)} ms, ${bytesPerCall.toFixed(1)} bytes a call; failed: ${failures.join(', ')}`,
    found,
  );
}

const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout');
verdict(`\n${timers.length} timers keep the process`, leftovers({ timers: timers.length }));

function leftovers(left: Readonly<Record<string, number>>): string[] {
  return Object.entries(left)
    .filter(([, count]) => count !== 0)
    .map(([name, count]) => `${count} ${name} left`);
}

function verdict(line: string, found: readonly string[]): void {
  console.log(found.length === 0 ? line : `${line}  FAILED: ${found.join(', ')}`);
  if (found.length > 0) process.exitCode = 1;
}
