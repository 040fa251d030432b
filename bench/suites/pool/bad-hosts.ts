/** B12, B13: some hosts stop answering, or one host drops each connection. The other hosts should not notice. */
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../../harness/statistics.js';
import type { Case, Role, Sample, Subject, Target } from '../../harness/subjects.js';
import { countAtLeast, countAtMost } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { globalLock } from '../../rivals/naive-pools.js';
import type { KeyedPool, MakePool } from '../../rivals/rival.js';
import { tarn } from '../../rivals/tarn.js';
import { connectPerRequest } from '../../rivals/unpooled.js';
import type { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import { untilServed } from './outage.js';
import { watchfulDialler } from './pool-subjects.js';

const hosts = 30;
const darkHosts = 6;
/** A dark host is a popular one: its callers alone could take all slots. */
const callersPerDarkHost = 10;
const patienceMs = 2_000;
const pauseMs = 100;
const beforeMs = 2_000;
const darkMs = 5_000;

export function hostsGoDark(server: HandshakeServer): Case {
  // No target for the peak: the server still counts a dial that was given up until it reads the end of it.
  const goDark = subjectsOf(server, sampleDark);
  const targets = [countAtLeast(95, 'goodput, %'), countAtMost(0, 'failed')];
  return {
    title: 'B12 ConnectionPool: six of thirty hosts go dark for 5 s, callers give up after 2 s, max 50',
    shows:
      'Calls to the 24 healthy hosts during the outage: goodput in % of before, and failed calls. A pool per host has no cap over all hosts (see the peak).',
    time: 'healthy p95',
    countsOnly: true,
    rounds: 1,
    warmups: 0,
    subjects: [
      goDark('global lock', 'naive', globalLock),
      goDark('latchkey', 'latchkey', latchkeyPool, targets),
      goDark('generic-pool per host', 'peer', genericPool),
      goDark('tarn per host', 'peer', tarn),
    ],
  };
}

async function sampleDark(server: HandshakeServer, makePool: MakePool): Promise<Sample> {
  await server.begin({ handshakeMs: 5 });
  const pool = makePool(watchfulDialler, { max: 50, waitTimeoutMs: patienceMs });
  let calls: { ms: number; ok: boolean }[] = [];
  let going = true;
  const user = async (port: number, isHealthy: boolean) => {
    while (going) {
      const startedMs = performance.now();
      const ok = await answered(pool, port);
      if (isHealthy) calls.push({ ms: performance.now() - startedMs, ok });
      await sleep(pauseMs);
    }
  };
  const users = server.hosts.slice(0, hosts).flatMap((port, host) => {
    const isHealthy = host >= darkHosts;
    return Array.from({ length: isHealthy ? 1 : callersPerDarkHost }, () => user(port, isHealthy));
  });

  await sleep(pauseMs * 5);
  const before = await goodput(beforeMs);
  await server.behave({ darkHosts });
  const dark = await goodput(darkMs);
  const during = calls;
  const { peak } = await server.counts();
  going = false;
  await server.behave({ darkHosts: 0 });
  await Promise.all(users);
  await pool.close();

  const p95 = quantile(
    during.map(({ ms }) => ms),
    0.95,
  );
  const failed = during.filter(({ ok }) => !ok).length;
  return { cost: p95, counts: { 'goodput, %': (100 * dark) / before, failed, peak } };

  /** Calls to healthy hosts that end well, per ms. */
  async function goodput(forMs: number): Promise<number> {
    calls = [];
    const startedMs = performance.now();
    await sleep(forMs);
    return calls.filter(({ ok }) => ok).length / (performance.now() - startedMs);
  }
}

/** Whether the host answers a request of 5 ms in time. A caller that gives up while it has a connection ends it. */
async function answered(pool: KeyedPool<Connection>, port: number): Promise<boolean> {
  const gaveUp = AbortSignal.timeout(patienceMs + pauseMs);
  const used = pool.use(port, (connection) => Promise.race([connection.request(5), aborted(gaveUp)]));
  return Promise.race([used, aborted(gaveUp)]).then(
    () => true,
    () => false,
  );
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

const flapMs = 3_000;
/** Fewer dials than at once, so that the ports of this machine suffice for all subjects. */
const retryMs = 10;

export function flapping(server: HandshakeServer): Case {
  const flap = subjectsOf(server, sampleFlapping);
  return {
    title: 'B13 ConnectionPool: for 3 s a server accepts, greets and drops each connection after 1 ms',
    shows:
      'Ten callers try again after 10 ms. The dials succeed, so a pool must count the early losses to dial less often.',
    time: 'recovery',
    countsOnly: true,
    rounds: 1,
    warmups: 0,
    subjects: [
      flap('no pool', 'naive', connectPerRequest),
      flap('latchkey', 'latchkey', latchkeyPool, [countAtMost(20, 'dials')]),
      flap('generic-pool', 'peer', genericPool),
      flap('tarn', 'peer', tarn),
    ],
  };
}

/** The subjects of one table: the same sample, taken of each pool. */
function subjectsOf(
  server: HandshakeServer,
  sample: (server: HandshakeServer, makePool: MakePool) => Promise<Sample>,
) {
  return (name: string, role: Role, makePool: MakePool, targets: readonly Target[] = []): Subject => ({
    name,
    role,
    targets,
    sample: () => sample(server, makePool),
  });
}

async function sampleFlapping(server: HandshakeServer, makePool: MakePool): Promise<Sample> {
  const host = server.hosts[0]!;
  await server.begin({ handshakeMs: 0, dropAfterMs: 1 });
  const pool = makePool(watchfulDialler, { max: 10, waitTimeoutMs: 1_000 });
  let going = true;
  let failed = 0;
  const user = async () => {
    while (going) {
      await pool.use(host, (connection) => connection.request(5)).catch(() => failed++);
      await sleep(retryMs);
    }
  };
  const users = Array.from({ length: 10 }, user);
  await sleep(flapMs);
  const { connects: dials } = await server.counts();
  await server.behave({ dropAfterMs: 0 });
  const recoveryMs = await untilServed(pool, host);
  going = false;
  await Promise.all(users);
  await pool.close();
  return { cost: recoveryMs, counts: { dials, failed } };
}
