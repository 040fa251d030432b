/** Requests arrive at a fixed rate even if earlier ones are still running, and the rate grows in steps. */
import { setTimeout as sleep } from 'node:timers/promises';
import { digits, duration } from '../../harness/format.js';
import { quantile, spreadOf } from '../../harness/statistics.js';
import type { Case, Counts, Role, Subject } from '../../harness/subjects.js';
import { countAtMost } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { lightningPool } from '../../rivals/lightning-pool.js';
import { globalLock } from '../../rivals/naive-pools.js';
import type { KeyedPool, MakePool } from '../../rivals/rival.js';
import { tarn } from '../../rivals/tarn.js';
import { connectPerRequest } from '../../rivals/unpooled.js';
import type { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import { onServer } from './pool-subjects.js';

const hosts = 20;
const holdMs = 2;
const steps = [
  { perSecond: 10, forMs: 800 },
  { perSecond: 100, forMs: 400 },
  { perSecond: 500, forMs: 400 },
  { perSecond: 1_000, forMs: 400 },
  { perSecond: 2_000, forMs: 400 },
  { perSecond: 5_000, forMs: 400 },
];

export function loadRamp(server: HandshakeServer): Case {
  return {
    title:
      'ConnectionPool: load ramp, 10 to 5,000 requests of 2 ms per second to 20 hosts, p95 per step, max 50',
    shows:
      'Latency counts from the moment a request is due. The first steps show handshakes of 10 ms, the last steps show queues. Of each step the median of five runs, and their quartiles.',
    time: 'p95 of all',
    rounds: 5,
    warmups: 0,
    budgetMs: 200_000,
    subjects: [
      ramp(server, 'no pool', 'naive', connectPerRequest, Infinity),
      ramp(server, 'global lock', 'naive', globalLock, 50),
      ramp(server, 'latchkey', 'latchkey', latchkeyPool, 50),
      ramp(server, 'generic-pool per host', 'peer', genericPool, 50),
      ramp(server, 'tarn per host', 'peer', tarn, 50),
      ramp(server, 'lightning-pool per host', 'peer', lightningPool, 50),
    ],
  };
}

function ramp(server: HandshakeServer, name: string, role: Role, makePool: MakePool, max: number): Subject {
  /** The p95 of each step, in every run so far. */
  const seen: number[][] = steps.map(() => []);
  const targets = role === 'latchkey' ? [countAtMost(max, 'peak'), countAtMost(0, 'failed')] : [];
  const subject = onServer({ name, role, targets }, { server, makePool, terms: { max } }, (pool) =>
    climb(pool, server.hosts.slice(0, hosts), seen),
  );
  return {
    ...subject,
    sample: async () => {
      const { counts } = await subject.sample();
      return { cost: Number(counts!['p95']), counts: withoutP95(counts!) };
    },
  };
}

function withoutP95({ p95: _, ...counts }: Counts): Counts {
  return counts;
}

/** Returns the p95 of each step over all runs so far, the number of failed requests, and the p95 of all requests, in ms. */
async function climb(
  pool: KeyedPool<Connection>,
  ports: readonly number[],
  seen: readonly number[][],
): Promise<Counts> {
  const all: number[] = [];
  const columns: Record<string, number | string> = {};
  let failed = 0;
  for (const [step, { perSecond, forMs }] of steps.entries()) {
    const latencies = await atRate(perSecond, forMs, async (i) => {
      const port = ports[i % ports.length]!;
      await pool.use(port, (connection) => connection.request(holdMs)).catch(() => failed++);
    });
    const runs = seen[step]!;
    runs.push(quantile(latencies, 0.95));
    columns[`${perSecond.toLocaleString('en-US')}/s`] = withQuartiles(runs);
    all.push(...latencies);
  }
  return { failed, ...columns, p95: quantile(all, 0.95) };
}

function withQuartiles(runs: readonly number[]): string {
  const { median, quartiles } = spreadOf(runs);
  return `${duration(median)} (${quartiles.map(digits).join(' to ')})`;
}

/** Starts each request when it is due, late ones at once. Returns their latencies in ms, counted from when they were due. */
async function atRate(
  perSecond: number,
  forMs: number,
  request: (i: number) => Promise<void>,
): Promise<number[]> {
  const startedMs = performance.now();
  const total = Math.round((perSecond * forMs) / 1_000);
  const latencies: number[] = [];
  const running: Promise<void>[] = [];
  while (running.length < total) {
    for (const nowMs = performance.now(); running.length < total; ) {
      const dueMs = startedMs + (running.length * 1_000) / perSecond;
      if (dueMs > nowMs) break;
      const end = () => void latencies.push(performance.now() - dueMs);
      running.push(request(running.length).then(end));
    }
    await sleep(1);
  }
  await Promise.all(running);
  return latencies;
}
