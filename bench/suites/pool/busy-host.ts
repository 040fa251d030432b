/** B4, B5: one host receives more requests than the pool has connections. */

import { elapsedMs } from '../../harness/stopwatch.js';
import type { Case, Role, Sample } from '../../harness/subjects.js';
import { atMost, countAtMost, shareOfCount } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { lightningPool } from '../../rivals/lightning-pool.js';
import { globalLock } from '../../rivals/naive-pools.js';
import type { KeyedPool, MakePool } from '../../rivals/rival.js';
import { tarn } from '../../rivals/tarn.js';
import type { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import { onServer, tcpDialler } from './pool-subjects.js';

const makers: readonly { name: string; role: Role; makePool: MakePool }[] = [
  { name: 'global lock', role: 'naive', makePool: globalLock },
  { name: 'latchkey', role: 'latchkey', makePool: latchkeyPool },
  { name: 'generic-pool', role: 'peer', makePool: genericPool },
  { name: 'tarn', role: 'peer', makePool: tarn },
  { name: 'lightning-pool', role: 'peer', makePool: lightningPool },
];

export function exclusiveHost(server: HandshakeServer): Case {
  const targets = [atMost(1.05, 'generic-pool'), countAtMost(10, 'connects')];
  return {
    title: 'B4 ConnectionPool: 100 requests of 5 ms to one cold host, max 10',
    shows:
      'The ten connections are the bottleneck, so a pool can only lose time. The best possible time is ten rounds of 5 ms.',
    rounds: 5,
    subjects: makers.map(({ name, role, makePool }) =>
      onServer(
        { name, role, targets: role === 'latchkey' ? targets : [] },
        { server, makePool, terms: { max: 10 } },
        (pool) => requests(pool, server.hosts[0]!, 100, 5),
      ),
    ),
  };
}

export function spike(server: HandshakeServer): Case {
  const targets = [shareOfCount(0.5, 'dials', 'generic-pool'), shareOfCount(0.5, 'dials', 'tarn')];
  return {
    title: 'B5 ConnectionPool: 5 warm connections, a spike of 50 requests of 2 ms, handshake 150 ms, max 50',
    shows:
      'The five warm connections serve the whole spike before a new connection is ready, so most dials are wasted.',
    rounds: 9,
    subjects: makers.map(({ name, role, makePool }) => ({
      name,
      role,
      targets: role === 'latchkey' ? targets : [],
      sample: () => sampleSpike(server, makePool),
    })),
  };
}

async function sampleSpike(server: HandshakeServer, makePool: MakePool): Promise<Sample> {
  const host = server.hosts[0]!;
  const pool = makePool(tcpDialler, { max: 50 });
  await server.begin({ handshakeMs: 1 });
  await requests(pool, host, 5, 5);
  const warm = await server.counts();
  await server.behave({ handshakeMs: 150 });

  const ms = await elapsedMs(() => requests(pool, host, 50, 2));

  await pool.close();
  const { connects, peak } = await server.counts();
  return { cost: ms, counts: { warm: warm.connects, dials: connects - warm.connects, peak } };
}

async function requests(
  pool: KeyedPool<Connection>,
  host: number,
  count: number,
  holdMs: number,
): Promise<void> {
  const all = Array.from({ length: count }, () => pool.use(host, (connection) => connection.request(holdMs)));
  await Promise.all(all);
}
