/** B8: the server refuses connections for half a second. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Role, Sample, Subject } from '../../harness/subjects.js';
import { shareOfCount, within } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { lightningPool } from '../../rivals/lightning-pool.js';
import { globalLock } from '../../rivals/naive-pools.js';
import type { Dialler, KeyedPool, MakePool } from '../../rivals/rival.js';
import { tarn } from '../../rivals/tarn.js';
import type { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import { tcpDialler } from './pool-subjects.js';

const outageMs = 500;

export function outage(server: HandshakeServer): Case {
  return {
    title: 'B8 ConnectionPool: 100 callers while the port is closed for 500 ms, max 10',
    shows: 'Callers should fail at once while the server is down, and the pool should dial it rarely.',
    time: 'last caller settled',
    rounds: 3,
    warmups: 0,
    subjects: [
      outageSubject(server, 'global lock', 'naive', globalLock),
      outageSubject(server, 'latchkey', 'latchkey', latchkeyPool),
      outageSubject(server, 'generic-pool', 'peer', genericPool),
      outageSubject(server, 'tarn', 'peer', tarn),
      outageSubject(server, 'lightning-pool', 'peer', lightningPool),
    ],
  };
}

function outageSubject(server: HandshakeServer, name: string, role: Role, makePool: MakePool): Subject {
  const targets = role === 'latchkey' ? [within(10), shareOfCount(0.01, 'attempts', 'generic-pool')] : [];
  return { name, role, targets, sample: () => sampleOutage(server, makePool) };
}

async function sampleOutage(server: HandshakeServer, makePool: MakePool): Promise<Sample> {
  const host = server.hosts[0]!;
  const dialler = new AttemptCounter();
  const pool = makePool(dialler, { max: 10, waitTimeoutMs: 1_000 });
  await server.begin();
  await server.refuse();

  const startedMs = performance.now();
  let settledMs = 0;
  let failed = 0;
  const callers = Array.from({ length: 100 }, () =>
    request(pool, host)
      .catch(() => failed++)
      .then(() => {
        settledMs = performance.now() - startedMs;
      }),
  );
  await sleep(outageMs);
  const { attempts } = dialler;
  await server.accept();

  const recoveryMs = await untilServed(pool, host);
  await Promise.all(callers);
  await pool.close();
  return {
    cost: settledMs,
    counts: { attempts, failed, 'served late': 100 - failed, 'recovery, ms': recoveryMs },
  };
}

/** Tries every 5 ms; returns the ms from the server's return to the first request that was served. */
export async function untilServed(pool: KeyedPool<Connection>, host: number): Promise<number> {
  const startedMs = performance.now();
  while (
    !(await request(pool, host).then(
      () => true,
      () => false,
    ))
  )
    await sleep(5);
  return performance.now() - startedMs;
}

function request(pool: KeyedPool<Connection>, host: number): Promise<void> {
  return pool.use(host, (connection) => connection.request());
}

class AttemptCounter implements Dialler<Connection> {
  attempts = 0;

  readonly connect = (host: number): Promise<Connection> => {
    this.attempts++;
    return tcpDialler.connect(host);
  };

  readonly close = (connection: Connection): Promise<void> => connection.close();
}
