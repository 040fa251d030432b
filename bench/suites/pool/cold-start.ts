/** B1, B2, B3: no connection is open yet, and all requests arrive at once. */

import type { Case, Role, Target } from '../../harness/subjects.js';
import { asFastAs, atMost, countAtMost } from '../../harness/targets.js';
import { genericPool } from '../../rivals/generic-pool.js';
import { latchkeyPool } from '../../rivals/latchkey.js';
import { lightningPool } from '../../rivals/lightning-pool.js';
import { globalLock, threePhases } from '../../rivals/naive-pools.js';
import type { KeyedPool, MakePool, PoolTerms } from '../../rivals/rival.js';
import { tarn } from '../../rivals/tarn.js';
import { connectPerRequest, connectsAlone } from '../../rivals/unpooled.js';
import type { Connection } from '../../servers/handshake-client.js';
import type { HandshakeServer } from '../../servers/handshake-server.js';
import { onServer } from './pool-subjects.js';

/** The connections are cold but the code is compiled: a service has usually run for a while when it meets a new host. */
const codeWarmups = 30;

type Maker = readonly [name: string, role: Role, makePool: MakePool, targets?: readonly Target[]];

const perHost: readonly Maker[] = [
  ['generic-pool per host', 'peer', genericPool],
  ['tarn per host', 'peer', tarn],
  ['lightning-pool per host', 'peer', lightningPool],
];

export function oneRequestPerHost(server: HandshakeServer, hosts: number): Case {
  const targets = [
    ...(hosts === 100 ? [asFastAs(60, 'naive')] : []),
    atMost(hosts === 100 ? 1.1 : 1.3, 'floor'),
    countAtMost(hosts, 'connects'),
  ];
  const makers: readonly Maker[] = [
    ['the connects alone', 'floor', connectsAlone],
    ['global lock', 'naive', globalLock],
    ['three phases', 'naive', threePhases],
    ['latchkey', 'latchkey', latchkeyPool, targets],
    ...perHost,
  ];
  return {
    title: `B1 ConnectionPool: ${hosts} hosts x 1 request, handshake 10 ms, max 100`,
    shows: 'A lock held across the connect dials the hosts one after another; no other subject does.',
    warmups: codeWarmups,
    subjects: subjects(server, makers, { max: 100 }, 0, (pool) =>
      oneEach(pool, server.hosts.slice(0, hosts)),
    ),
  };
}

export function moreHostsThanConnections(server: HandshakeServer, closeMs: number): Case {
  const makers: readonly Maker[] = [
    ['two rounds of 50', 'floor', connectPerRequest],
    ['global lock', 'naive', globalLock],
    ['three phases', 'naive', threePhases],
    ['latchkey', 'latchkey', latchkeyPool, [atMost(1.5, 'floor'), countAtMost(50, 'peak')]],
    ...perHost,
  ];
  return {
    title: `B2 ConnectionPool: 100 hosts x 1 request, handshake 10 ms, max 50, a close takes ${closeMs} ms`,
    shows:
      'At the cap, the second half of the hosts must evict the first half; a pool per host has no cap over all hosts (see the peak).',
    warmups: 10,
    subjects: subjects(server, makers, { max: 50 }, closeMs, (pool) => oneEach(pool, server.hosts)),
  };
}

export function sharedColdHost(server: HandshakeServer): Case {
  const makers: readonly Maker[] = [
    ['three phases', 'naive', threePhases],
    ['latchkey, shared', 'latchkey', latchkeyPool, [countAtMost(1, 'connects')]],
  ];
  const terms = { max: 50, leasesPerConnection: Infinity };
  const host = server.hosts[0]!;
  return {
    title: 'B3 ConnectionPool: 100 requests to one cold host, one shared connection',
    shows: 'Checking again after the dial does not limit the dials: 99 of 100 connections are thrown away.',
    subjects: subjects(server, makers, terms, 0, (pool) => oneEach(pool, Array(100).fill(host))),
  };
}

function subjects(
  server: HandshakeServer,
  makers: readonly Maker[],
  terms: PoolTerms,
  closeMs: number,
  use: (pool: KeyedPool<Connection>) => Promise<void>,
) {
  return makers.map(([name, role, makePool, targets = []]) =>
    onServer({ name, role, targets }, { server, behaviour: { closeMs }, makePool, terms }, use),
  );
}

async function oneEach(pool: KeyedPool<Connection>, hosts: readonly number[]): Promise<void> {
  await Promise.all(hosts.map((host) => pool.use(host, (connection) => connection.request())));
}
